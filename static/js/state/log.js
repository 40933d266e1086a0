/**
 * The client's rule for numbered events, and the repairs that it opens.
 *
 * `last_sequence` of a loaded conversation is this client's cursor. An event with the next number is
 * applied, one that is not greater is ignored, and a greater one opens a *repair*: the frames of
 * that conversation are buffered until the missing ones (`events`) or a whole new body (`load`)
 * have come over REST, and then go through the same rule again. So no frame that arrives during a
 * request is lost, and none is applied twice.
 *
 * Lives here: that rule, and receipts, as pure functions. Does not live here: the requests of a
 * repair (replica.js) and the effect of an event (events.js).
 */
import { EFFECTS, dropConversation } from "./events.js";
import { settleEntries } from "./outgoing.js";
import { putPeople } from "./people.js";
import { raiseOwnRead, raiseWatermark } from "./receipts.js";
import { emptyTimeline } from "./timeline.js";

const RECEIPTS = {
  message_delivered: (state, conversation, frame) =>
    raiseWatermark(conversation, frame.user_id, "last_delivered_sequence", frame.up_to_sequence),
  message_read: (state, conversation, frame) => {
    const raised = raiseWatermark(conversation, frame.reader_id, "last_read_sequence", frame.up_to_sequence);
    if (frame.reader_id !== state.me.id) return raised;
    return raiseOwnRead(raised, state.timelines[conversation.id], state.me.id, frame.up_to_sequence);
  },
  conversation_read: (state, conversation, frame) =>
    raiseOwnRead(conversation, state.timelines[conversation.id], state.me.id, frame.up_to_sequence, frame),
};

/** Return whether a frame belongs to a conversation's log or raises one of its positions. */
export function concernsLog(frame) {
  return typeof frame.conversation_id === "string" && (Number.isInteger(frame.sequence) || frame.type in RECEIPTS);
}

/** Return the state after a numbered event or a receipt. */
export function receive(state, frame) {
  const id = frame.conversation_id;
  const repair = state.repairs[id];
  const conversation = state.conversations[id];
  if (frame.type in RECEIPTS) {
    if (repair?.kind === "load") return bufferFrame(state, id, frame);
    return conversation ? receiveReceipt(state, conversation, frame) : state;
  }
  if (repair) return bufferFrame(state, id, frame);
  if (!conversation) return meetUnknown(state, frame);
  if (frame.sequence <= conversation.last_sequence) return state;
  if (frame.sequence > conversation.last_sequence + 1) return openRepair(state, id, "events", [frame]);
  return applyNext(state, frame);
}

/** Return the state after the events that REST returned for a repair. */
export function receiveRange(state, id, events, hasMore) {
  let next = state;
  for (const frame of events) {
    const cursor = next.conversations[id]?.last_sequence;
    if (cursor === undefined) return next;
    if (frame.sequence === cursor + 1) next = applyNext(next, frame);
  }
  if (!next.conversations[id] || hasMore || next.repairs[id]?.kind !== "events") return next;
  return applyBuffered(next, id);
}

/**
 * Return the state after a conversation body came over REST.
 *
 * A body replaces the loaded one only for a `load` repair. Otherwise the log decides: a body that is
 * ahead shows that events are missing, and one that is behind is outdated.
 */
export function receiveBody(state, body) {
  const existing = state.conversations[body.id];
  if (existing && state.repairs[body.id]?.kind !== "load") {
    if (body.last_sequence <= existing.last_sequence || state.repairs[body.id]) return state;
    return openRepair(state, body.id, "events", []);
  }
  return applyBuffered(installBody(state, body), body.id);
}

/** Return the state with a repair opened, or an open one changed from `events` to `load`. */
export function openRepair(state, id, kind, frames) {
  const open = state.repairs[id];
  const repair = {
    kind: open?.kind === "load" ? "load" : kind,
    buffered: [...(open?.buffered ?? []), ...frames],
  };
  return { ...state, repairs: { ...state.repairs, [id]: repair } };
}

/** Return the state after `sync_complete`: conversations in `heads` are loaded, others that were asked are dropped. */
export function receiveHeads(state, { heads, resync, asked }) {
  let next = state;
  for (const id of asked) {
    if (!(id in heads) && next.conversations[id]) next = dropConversation(next, id);
  }
  for (const id of resync) {
    if (id in heads) next = openRepair(next, id, "load", []);
  }
  for (const [id, head] of Object.entries(heads)) {
    const existing = next.conversations[id];
    if (!existing) next = openRepair(next, id, "load", []);
    else if (existing.last_sequence < head && !next.repairs[id]) next = openRepair(next, id, "events", []);
  }
  return next;
}

function meetUnknown(state, frame) {
  if (frame.type === "participant_removed") return state;
  if (frame.type === "conversation_created" && frame.conversation) return receiveBody(state, frame.conversation);
  return openRepair(state, frame.conversation_id, "load", [frame]);
}

function bufferFrame(state, id, frame) {
  return openRepair(state, id, state.repairs[id].kind, [frame]);
}

function applyBuffered(state, id) {
  const { [id]: repair, ...repairs } = state.repairs;
  return (repair?.buffered ?? []).reduce(receive, { ...state, repairs });
}

function receiveReceipt(state, conversation, frame) {
  const raised = RECEIPTS[frame.type](state, conversation, frame);
  if (raised === conversation) return state;
  return { ...state, conversations: { ...state.conversations, [raised.id]: raised } };
}

function applyNext(state, frame) {
  const id = frame.conversation_id;
  const applied = EFFECTS[frame.type]?.(state, frame) ?? state;
  const conversation = applied.conversations[id];
  if (!conversation) return applied;
  const advanced = { ...conversation, last_sequence: frame.sequence };
  return {
    ...applied,
    conversations: { ...applied.conversations, [id]: advanced },
    outbox: settleEntries(applied.outbox, id, frame.sequence),
  };
}

function installBody(state, body) {
  const viewerId = state.me.id;
  const existing = state.conversations[body.id];
  const timeline =
    existing?.last_sequence === body.last_sequence ? state.timelines[body.id] : emptyTimeline(body.last_sequence);
  const last = body.last_message;
  const lastIsForeign = last && last.sender_user_id !== viewerId;
  const foreign = body.unread_count > 0 ? body.last_sequence : lastIsForeign ? last.sequence : 0;
  const conversation = raiseOwnRead(
    { ...body, foreign_sequence: foreign },
    timeline,
    viewerId,
    state.reads[body.id] ?? 0,
  );
  return {
    ...state,
    conversations: { ...state.conversations, [body.id]: conversation },
    timelines: { ...state.timelines, [body.id]: timeline },
    people: putPeople(state.people, body.participants),
    outbox: settleEntries(state.outbox, body.id, body.last_sequence),
  };
}
