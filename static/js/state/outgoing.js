/**
 * Unsent messages: the entries of the outbox as part of the state.
 *
 * An entry is `pending` until the server acknowledged it, `sent` until its event has been applied
 * (so that its bubble does not disappear in between), or `failed` after a final refusal.
 * Lives here: these transitions, pure. Does not live here: sending and persisting (outbox.js).
 *
 * @typedef {{client_message_id: string, conversation_id: string, content: string,
 *   message_type: string, metadata?: object, mentions?: object[], reply_to_id?: string|null, composed_at: string,
 *   state: "pending"|"sent"|"failed", sequence?: number, error?: string}} Entry
 */

/** Return the entries with one changed. */
function changeEntry(entries, clientMessageId, changes) {
  if (!entries.some((entry) => entry.client_message_id === clientMessageId)) return entries;
  return entries.map((entry) =>
    entry.client_message_id === clientMessageId ? { ...entry, ...changes } : entry,
  );
}

/** Return the entries with these added, unless they are there already. */
export function addEntries(entries, added) {
  const known = new Set(entries.map((entry) => entry.client_message_id));
  const fresh = added.filter((entry) => !known.has(entry.client_message_id));
  return fresh.length > 0 ? [...entries, ...fresh] : entries;
}

/** Return the entries without one. */
export function removeEntry(entries, clientMessageId) {
  const left = entries.filter((entry) => entry.client_message_id !== clientMessageId);
  return left.length < entries.length ? left : entries;
}

/** Return the entries after an acknowledgement: gone if its event was already applied. */
export function acknowledgeEntry(entries, ack, cursor) {
  if (ack.sequence <= cursor) return removeEntry(entries, ack.client_message_id);
  return changeEntry(entries, ack.client_message_id, { state: "sent", sequence: ack.sequence, error: undefined });
}

/** Return the entries after a final refusal. */
export function refuseEntry(entries, clientMessageId, error) {
  return changeEntry(entries, clientMessageId, { state: "failed", error });
}

/** Return the entries with a failed one made pending again. */
export function reviveEntry(entries, clientMessageId) {
  return changeEntry(entries, clientMessageId, { state: "pending", error: undefined });
}

/** Return the entries with the acknowledged ones made pending again: the log that contained them has ended. */
export function reopenEntries(entries) {
  return entries.map((entry) =>
    entry.state === "sent" ? { ...entry, state: "pending", sequence: undefined } : entry,
  );
}

/** Return the entries without the acknowledged ones that the log has reached. */
export function settleEntries(entries, conversationId, cursor) {
  const left = entries.filter(
    (entry) => !(entry.conversation_id === conversationId && entry.state === "sent" && entry.sequence <= cursor),
  );
  return left.length < entries.length ? left : entries;
}
