/**
 * Selectors of the state for the views.
 *
 * Lives here: pure functions. Does not live here: texts (wording.js).
 */
import { othersWatermarks, statusOf } from "./receipts.js";
import { shownMessages } from "./timeline.js";

const activityOf = (conversation) => conversation.last_message?.created_at ?? conversation.created_at ?? "";

/** Return the conversations by activity, newest first, that match a filter. */
export function listedConversations(state, filter = "") {
  const wanted = filter.trim().toLocaleLowerCase();
  return Object.values(state.conversations)
    .filter((one) => wanted === "" || matches(one, wanted, state.me.id))
    .sort((one, other) => {
      const [mine, theirs] = [activityOf(one), activityOf(other)];
      if (mine === theirs) return one.id < other.id ? 1 : -1;
      return mine < theirs ? 1 : -1;
    });
}

/**
 * Return the rows of the list: pinned conversations first, and either the archived ones or the others.
 * With a filter, both.
 */
export function listRows(state, filter = "", archived = false) {
  const found = listedConversations(state, filter);
  const shown = filter.trim() === "" ? found.filter((one) => Boolean(one.me.archived) === archived) : found;
  return [...shown.filter((one) => one.me.pinned), ...shown.filter((one) => !one.me.pinned)];
}

/** Return how many conversations are archived. */
export function countArchived(state) {
  return Object.values(state.conversations).filter((one) => one.me.archived).length;
}

/** Return whether I have muted a conversation. */
export function isMuted(conversation, now) {
  const { muted_until: until } = conversation.me;
  return Boolean(until) && Date.parse(until) > now;
}

function matches(conversation, wanted, viewerId) {
  const names = conversation.participants
    .filter((one) => one.user_id !== viewerId)
    .flatMap((one) => [one.display_name, one.username]);
  return [conversation.display_name, conversation.name, ...names].some((name) =>
    (name ?? "").toLocaleLowerCase().includes(wanted),
  );
}

/** Return the other person of a direct conversation. */
export function otherPerson(state, conversation) {
  if (conversation.type !== "direct") return null;
  const other = conversation.participants.find((one) => one.user_id !== state.me.id);
  return other ? (state.people[other.user_id] ?? null) : null;
}

/** Return a person's presence, or null while it is unknown, as without a connection. */
export function presenceOf(state, userId) {
  return state.link === "online" || state.link === "updating" ? (state.presence[userId] ?? null) : null;
}

/**
 * Return the bubbles of a conversation, oldest first: messages with `delivery` (the tick of my
 * own), then unsent messages.
 */
export function shownBubbles(state, id) {
  const conversation = state.conversations[id];
  const positions = othersWatermarks(conversation, state.me.id);
  const messages = shownMessages(state.timelines[id]).map((message) => ({
    message,
    mine: message.sender_user_id === state.me.id,
    delivery: message.sender_user_id === state.me.id ? statusOf(message, positions) : null,
  }));
  const arrived = new Set(messages.filter((one) => one.mine).map((one) => one.message.client_message_id));
  const outgoing = state.outbox
    .filter((entry) => entry.conversation_id === id && !arrived.has(entry.client_message_id))
    .map((entry) => ({ message: bodyOf(entry, state.me.id), mine: true, delivery: entry.state, entry }));
  return [...messages, ...outgoing];
}

function bodyOf(entry, viewerId) {
  return {
    ...entry,
    id: null,
    sequence: null,
    sender_user_id: viewerId,
    created_at: entry.composed_at,
    edited_at: null,
    deleted_at: null,
  };
}

/** Return the quoted message, null if it may not be seen, undefined if it must be fetched. */
export function quotedMessage(state, id, messageId) {
  const existing = shownMessages(state.timelines[id]).find((message) => message.id === messageId);
  return existing ?? state.quotes[messageId];
}

/** Return the number of unread messages in all conversations except those that I muted or archived. */
export function totalUnread(state, now) {
  return Object.values(state.conversations)
    .filter((one) => !isMuted(one, now) && !one.me.archived)
    .reduce((sum, one) => sum + one.unread_count, 0);
}

/** Return the number of unread messages in all conversations, the same number as in pushes. */
export function allUnread(state) {
  return Object.values(state.conversations).reduce((sum, one) => sum + one.unread_count, 0);
}

/** Return my read position in each conversation. */
export function readPositions(state) {
  return Object.fromEntries(Object.values(state.conversations).map((one) => [one.id, one.me.last_read_sequence]));
}

/** Return those of my read positions that rose from one state to another. */
export function risenReadPositions(state, previous) {
  const risen = {};
  for (const [id, { me }] of Object.entries(state.conversations)) {
    const before = previous.conversations[id];
    if (before && before.me !== me && me.last_read_sequence > before.me.last_read_sequence) risen[id] = me.last_read_sequence;
  }
  return risen;
}

export const may = (conversation, permission) => conversation.my_permissions?.includes(permission) ?? false;

/** Return whether my own message may still be edited. */
export function mayEdit(state, message, now) {
  const age = now - Date.parse(message.created_at);
  return (
    message.sender_user_id === state.me.id &&
    message.message_type === "text" &&
    !message.deleted_at &&
    message.sequence !== null &&
    age < state.limits.edit_window_seconds * 1000
  );
}

/** Return whether my own message may be deleted for everyone. */
export function mayDelete(state, message) {
  return (
    message.sender_user_id === state.me.id &&
    message.message_type !== "system" &&
    !message.deleted_at &&
    message.sequence !== null
  );
}
