/**
 * Receipts: delivery and read positions (watermarks), unread counts and the resulting ticks.
 *
 * Positions only rise, so receipts may arrive late, twice or in any order. Lives here: that
 * arithmetic. Does not live here: sending receipts (../receipts.js).
 */
import { shownMessages } from "./timeline.js";

/** Return whether a message counts as unread for a viewer who has not read it. */
export function countsAsUnread(message, viewerId) {
  return message.message_type !== "system" && message.sender_user_id !== viewerId && !message.deleted_at;
}

/** Return whether a message counts as a mention of a viewer who has not read it. */
export function countsAsMention(message, viewerId) {
  const names = (message.mentions ?? []).some((mention) => mention.user_id === viewerId);
  return names && message.sender_user_id !== viewerId;
}

/** Return the numbers of unread messages and mentions among the loaded messages after a position. */
function loadedAfter(timeline, position, viewerId) {
  const unread = shownMessages(timeline).filter((message) => message.sequence > position);
  return {
    unread_count: unread.filter((message) => countsAsUnread(message, viewerId)).length,
    mention_count: unread.filter((message) => countsAsMention(message, viewerId)).length,
  };
}

/**
 * Return what is unread after my read position; null if the loaded history does not reach back so far, and only the
 * server knows.
 */
export function loadedCounts(conversation, timeline, viewerId) {
  const position = conversation.me.last_read_sequence;
  if (position >= conversation.last_sequence) return { unread_count: 0, mention_count: 0 };
  return timeline && position + 1 >= timeline.covers_from ? loadedAfter(timeline, position, viewerId) : null;
}

/**
 * Return the conversation with the counts of the server, which are those after the event `given.last_sequence`.
 *
 * Loaded messages after that event are added to the counts. Events up to it that arrive later are already counted:
 * `counted_to` records that.
 */
export function takeCounts(conversation, timeline, viewerId, given) {
  const { unread_count, mention_count, last_sequence: countedTo } = given;
  const later = loadedAfter(timeline, Math.max(countedTo, conversation.me.last_read_sequence), viewerId);
  return {
    ...conversation,
    unread_count: unread_count + later.unread_count,
    mention_count: mention_count + later.mention_count,
    counted_to: countedTo,
  };
}

/** Return the conversation with a participant's position raised, or the same one. */
export function raiseWatermark(conversation, userId, field, sequence) {
  const index = conversation.participants.findIndex((one) => one.user_id === userId);
  const existing = conversation.participants[index];
  if (!existing || existing[field] >= sequence) return conversation;
  const participants = conversation.participants.slice();
  participants[index] = { ...existing, [field]: sequence };
  return { ...conversation, participants };
}

/**
 * Return the conversation with my own read position raised and the resulting counts.
 *
 * For a change on another device the server sends two frames, first the position and then the counts:
 * `given` counts are also taken if the position is already there.
 */
export function raiseOwnRead(conversation, timeline, viewerId, sequence, given) {
  const position = conversation.me.last_read_sequence;
  if (sequence < position || (sequence === position && given === undefined)) return conversation;
  const raised = { ...conversation, me: { ...conversation.me, last_read_sequence: sequence } };
  const loaded = loadedCounts(raised, timeline, viewerId);
  if (loaded) return { ...raised, ...loaded };
  return given ? takeCounts(raised, timeline, viewerId, given) : raised;
}

/**
 * Return up to which sequence everybody else has received and read.
 * Null if there is nobody else, or more people than the body lists; then the message's own status is used.
 * @returns {{delivered: number, read: number} | null}
 */
export function othersWatermarks(conversation, viewerId) {
  const others = conversation.participants.filter((one) => one.user_id !== viewerId);
  if (others.length === 0 || conversation.participant_count > conversation.participants.length) return null;
  const read = Math.min(...others.map((one) => one.last_read_sequence));
  const delivered = Math.min(
    ...others.map((one) => Math.max(one.last_delivered_sequence, one.last_read_sequence)),
  );
  return { delivered, read };
}

/** Return the status of one of my own messages: sent, delivered or read. */
export function statusOf(message, watermarks) {
  if (!watermarks) return message.status ?? "sent";
  if (message.sequence <= watermarks.read) return "read";
  return message.sequence <= watermarks.delivered ? "delivered" : "sent";
}
