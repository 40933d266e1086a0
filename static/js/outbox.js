/**
 * The outbox: a written message is stored until the server has it.
 *
 * The steps of a message: it gets its client_message_id when it is composed, it is written to
 * localStorage, then shown, then sent. It is removed from localStorage when the server has
 * acknowledged it, or when its author discards it. Every step in between may be repeated, because
 * the server remembers a client_message_id for ever: a lost acknowledgement, a reload, or two tabs
 * that send the same entry all result in one message.
 *
 * Each conversation has one message under way at a time, so its messages keep their order even
 * when the first one has to be repeated. Messages go over the socket; after eight seconds without
 * one they go over REST. A final refusal makes an entry `failed`; only its author can retry it.
 *
 * One key per entry instead of one list: two tabs never overwrite each other's entries.
 * localStorage instead of IndexedDB: it is synchronous, so a reload in the next millisecond loses
 * nothing.
 */
import { waitingTime } from "./backoff.js";
import { makeUuid } from "./identifiers.js";

const PREFIX = "chatsite.outbox.";
const ACK_TIMEOUT_MS = 10_000;
const REST_AFTER_MS = 8_000;
const TEMPORARY_CODES = new Set(["try_again", "rate_limited", "server_error"]);

/**
 * Create the outbox.
 * @param {object} options
 * @param {object} options.store the state, see state/outgoing.js
 * @param {{send(frame): boolean, ready: boolean, silent: boolean}} options.connection
 * @param {{sendMessage(fields): Promise<object>}} options.api
 * @param {Storage} options.storage
 * @param {object} [options.surroundings] timers, clock and random numbers, for tests
 */
export function createOutbox({ store, connection, api, storage, surroundings = globalThis }) {
  const { setTimeout, clearTimeout } = surroundings;
  const now = surroundings.now ?? (() => Date.now());
  const random = surroundings.random ?? Math.random;

  /** Per conversation: the message under way, and until when no other is sent. */
  const lanes = new Map();
  let awaySince = now();
  let timer = null;
  let timerAt = Infinity;

  function laneOf(conversationId) {
    if (!lanes.has(conversationId)) lanes.set(conversationId, { sending: null, until: 0, failures: 0 });
    return lanes.get(conversationId);
  }

  function save(entry) {
    storage.setItem(PREFIX + entry.client_message_id, JSON.stringify(entry));
  }

  function pump() {
    const served = new Set();
    for (const entry of store.state.outbox) {
      if (entry.state !== "pending" || served.has(entry.conversation_id)) continue;
      served.add(entry.conversation_id);
      const lane = laneOf(entry.conversation_id);
      if (now() < lane.until) wakeAt(lane.until);
      else dispatch(entry, lane);
    }
  }

  function dispatch(entry, lane) {
    const fields = wireForm(entry);
    const frame = { type: "send_message", id: entry.client_message_id, ...fields };
    if (!connection.silent && connection.send(frame)) {
      lane.sending = entry.client_message_id;
      lane.until = now() + ACK_TIMEOUT_MS;
    } else if (!connection.ready && now() - awaySince >= REST_AFTER_MS) {
      lane.sending = entry.client_message_id;
      lane.until = now() + 2 * ACK_TIMEOUT_MS;
      sendByRest(entry, fields);
    } else {
      lane.until = connection.ready ? now() + 1000 : awaySince + REST_AFTER_MS;
    }
    wakeAt(lane.until);
  }

  async function sendByRest(entry, fields) {
    try {
      const message = await api.sendMessage(fields);
      const { id: message_id, sequence, conversation_id } = message;
      settle({ client_message_id: entry.client_message_id, message_id, sequence, conversation_id });
    } catch (error) {
      if (error.status === 401) postpone(entry, undefined);
      else if (error.temporary) postpone(entry, error.retryAfter);
      else refuse(entry, error.message);
    }
  }

  function settle(ack) {
    store.dispatch({ type: "frame_received", frame: { type: "message_ack", ...ack }, now: now() });
    free(ack.conversation_id, ack.client_message_id);
    pump();
  }

  function postpone(entry, retryAfter) {
    const lane = laneOf(entry.conversation_id);
    lane.until = now() + waitingTime(retryAfter, lane.failures, random) * 1000;
    lane.failures += 1;
    wakeAt(lane.until);
  }

  function refuse(entry, reason) {
    if (store.state.complete && !store.state.conversations[entry.conversation_id]) {
      // The user is no longer in the conversation, so the message cannot be shown anywhere.
      store.dispatch({ type: "discarded", client_message_id: entry.client_message_id });
      return;
    }
    save({ ...entry, state: "failed", error: reason });
    store.dispatch({ type: "refused", client_message_id: entry.client_message_id, error: reason });
    free(entry.conversation_id, entry.client_message_id);
    pump();
  }

  function free(conversationId, clientMessageId) {
    const lane = lanes.get(conversationId);
    if (lane && lane.sending === clientMessageId) lanes.delete(conversationId);
  }

  function wakeAt(time) {
    if (time >= timerAt) return;
    clearTimeout(timer);
    timerAt = time;
    timer = setTimeout(
      () => {
        timerAt = Infinity;
        pump();
      },
      Math.max(0, time - now()),
    );
  }

  /** When an ack or an event settles an entry, remove it from storage; when the state reopens it, store it again. */
  store.subscribe((state, previous) => {
    if (state.outbox === previous.outbox) return;
    for (const entry of previous.outbox) {
      const current = state.outbox.find((one) => one.client_message_id === entry.client_message_id);
      if (current && current.state !== "sent") {
        if (entry.state === "sent") save(current);
        continue;
      }
      storage.removeItem(PREFIX + entry.client_message_id);
      free(entry.conversation_id, entry.client_message_id);
    }
    pump();
  });

  return {
    /** Load the messages that an earlier page of this user left unsent. */
    restore() {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
      const entries = keys
        .filter((key) => key.startsWith(PREFIX))
        .map((key) => JSON.parse(storage.getItem(key)))
        .sort((one, other) => (one.composed_at < other.composed_at ? -1 : 1));
      store.dispatch({ type: "composed", entries });
    },
    /** Add a new message: stored first, then shown, then sent. */
    compose({ conversation_id, content, message_type = "text", metadata, mentions = [], reply_to_id = null }) {
      const entry = {
        client_message_id: makeUuid(),
        conversation_id,
        content,
        message_type,
        metadata,
        mentions,
        reply_to_id,
        composed_at: new Date(now()).toISOString(),
        state: "pending",
      };
      save(entry);
      store.dispatch({ type: "composed", entries: [entry] });
      return entry;
    },
    /** Try a refused message again. */
    retry(entry) {
      save({ ...entry, state: "pending", error: undefined });
      store.dispatch({ type: "retried", client_message_id: entry.client_message_id });
    },
    /** Discard a refused message. */
    discard(entry) {
      store.dispatch({ type: "discarded", client_message_id: entry.client_message_id });
    },
    /** Handle a change of the connection: nothing is under way on the old socket any more. */
    linkChanged(link) {
      if (link === "connected") awaySince = Infinity;
      else if (awaySince === Infinity) awaySince = now();
      else return;
      lanes.clear();
      pump();
    },
    /** Handle acknowledgements and refusals. */
    frameReceived(frame) {
      const id = frame.client_message_id ?? frame.id;
      if (frame.type === "message_ack") {
        free(frame.conversation_id, frame.client_message_id);
        pump();
      } else if (frame.type === "error" && id) {
        const entry = store.state.outbox.find((one) => one.client_message_id === id && one.state === "pending");
        if (!entry) return;
        if (TEMPORARY_CODES.has(frame.code)) postpone(entry, frame.retry_after);
        else refuse(entry, frame.message);
      }
    },
  };
}

function wireForm({ client_message_id, conversation_id, content, message_type, metadata, mentions, reply_to_id }) {
  const fields = { client_message_id, conversation_id, content, message_type };
  if (metadata) fields.metadata = metadata;
  if (mentions?.length) fields.mentions = mentions;
  if (reply_to_id) fields.reply_to_id = reply_to_id;
  return fields;
}
