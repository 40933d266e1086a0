/**
 * The effect of each numbered event on a loaded conversation.
 *
 * Lives here: one pure function per event type, (state, frame) -> state. Each may assume that
 * the frame is the next one of its conversation; the cursor is advanced by the caller for every
 * type, known or not. Does not live here: deciding whether a frame is next (log.js).
 */
import { putPeople, stopTyping } from "./people.js";
import { removeEntry } from "./outgoing.js";
import { countsAsMention, countsAsUnread, loadedCounts } from "./receipts.js";
import { findBySequence, putMessage } from "./timeline.js";

const DESCRIPTIVE_FIELDS = [
  "name",
  "display_name",
  "description",
  "avatar_url",
  "settings",
  "my_permissions",
  "updated_at",
];

function withConversation(state, conversation) {
  return { ...state, conversations: { ...state.conversations, [conversation.id]: conversation } };
}

function withMessage(state, { conversation_id: id, sequence, message }) {
  const timeline = putMessage(state.timelines[id], message, sequence);
  return { ...state, timelines: { ...state.timelines, [id]: timeline } };
}

function messageArrived(state, frame) {
  const { message } = frame;
  const conversation = state.conversations[frame.conversation_id];
  const foreign = countsAsUnread(message, state.me.id);
  const counted = Math.max(conversation.me.last_read_sequence, conversation.counted_to ?? 0);
  const unread = foreign && message.sequence > counted;
  const next = withMessage(
    withConversation(state, {
      ...conversation,
      last_message: message,
      unread_count: conversation.unread_count + (unread ? 1 : 0),
      mention_count: (conversation.mention_count ?? 0) + (unread && countsAsMention(message, state.me.id) ? 1 : 0),
      foreign_sequence: foreign ? message.sequence : conversation.foreign_sequence,
    }),
    frame,
  );
  const mine = message.sender_user_id === state.me.id && message.client_message_id;
  return {
    ...next,
    outbox: mine ? removeEntry(state.outbox, message.client_message_id) : state.outbox,
    typing: stopTyping(state.typing, conversation.id, message.sender_user_id),
  };
}

function messageChanged(state, frame) {
  const { conversation_id: id, message } = frame;
  const conversation = state.conversations[id];
  const next =
    conversation.last_message?.id === message.id
      ? withConversation(state, { ...conversation, last_message: message })
      : state;
  const quotes = next.quotes[message.id] ? { ...next.quotes, [message.id]: message } : next.quotes;
  const shown = findBySequence(next.timelines[id], message.sequence);
  const updated = { ...message, status: shown?.status ?? message.status };
  return recounted(withMessage({ ...next, quotes }, { ...frame, message: updated }), frame);
}

/** Return the state with what is unread counted again; if it cannot be counted here, the conversation is marked stale. */
function recounted(state, { conversation_id: id, sequence, message }) {
  const conversation = state.conversations[id];
  if (message.sequence <= conversation.me.last_read_sequence || message.sender_user_id === state.me.id) return state;
  const loaded = loadedCounts(conversation, state.timelines[id], state.me.id);
  if (!loaded) return { ...state, stale: { ...state.stale, [id]: sequence } };
  return withConversation(state, { ...conversation, ...loaded });
}

function conversationUpdated(state, frame) {
  const changes = {};
  for (const field of DESCRIPTIVE_FIELDS) {
    if (field in frame.conversation) changes[field] = frame.conversation[field];
  }
  return withConversation(state, { ...state.conversations[frame.conversation_id], ...changes });
}

function participantPut(state, frame) {
  const conversation = state.conversations[frame.conversation_id];
  const { participant } = frame;
  const index = conversation.participants.findIndex((one) => one.user_id === participant.user_id);
  const existing = conversation.participants[index];
  const participants = conversation.participants.slice();
  if (existing) {
    participants[index] = {
      ...participant,
      last_read_sequence: Math.max(existing.last_read_sequence, participant.last_read_sequence ?? 0),
      last_delivered_sequence: Math.max(existing.last_delivered_sequence, participant.last_delivered_sequence ?? 0),
    };
  } else if (frame.type === "participant_added") {
    participants.push(participant);
  }
  const added = frame.type === "participant_added" && !existing ? 1 : 0;
  const next = withConversation(state, {
    ...conversation,
    participants,
    participant_count: conversation.participant_count + added,
  });
  const aboutMe = participant.user_id === state.me.id;
  return {
    ...next,
    people: putPeople(state.people, [participant]),
    stale: aboutMe ? { ...state.stale, [conversation.id]: frame.sequence } : state.stale,
  };
}

function participantRemoved(state, frame) {
  if (frame.user_id === state.me.id) return dropConversation(state, frame.conversation_id);
  const conversation = state.conversations[frame.conversation_id];
  return withConversation(state, {
    ...conversation,
    participants: conversation.participants.filter((one) => one.user_id !== frame.user_id),
    participant_count: conversation.participant_count - 1,
  });
}

/** Take only these four settings: role and read position come from other frames and may be newer. */
function mySettingsUpdated(state, frame) {
  const conversation = state.conversations[frame.conversation_id];
  const { muted_until, notification_level, pinned, archived } = frame.me;
  const me = { ...conversation.me, muted_until, notification_level, pinned, archived };
  return withConversation(state, { ...conversation, me });
}

/** Return the state without a conversation, except its unsent messages. */
export function dropConversation(state, id) {
  const next = { ...state };
  for (const part of ["conversations", "timelines", "repairs", "reads", "stale", "typing"]) {
    const { [id]: gone, ...left } = state[part];
    if (gone !== undefined) next[part] = left;
  }
  return next;
}

/** The effect of each event type; a type that is missing here only advances the cursor. */
export const EFFECTS = {
  new_message: messageArrived,
  message_updated: messageChanged,
  message_deleted: messageChanged,
  conversation_updated: conversationUpdated,
  participant_added: participantPut,
  participant_updated: participantPut,
  participant_removed: participantRemoved,
  my_place_updated: mySettingsUpdated,
};
