/**
 * Receipts: delivery and read positions (watermarks), unread counts and the resulting ticks.
 *
 * Positions only rise, so receipts may arrive late, twice or in any order. Lives here: that
 * arithmetic. Does not live here: sending receipts (../receipts.js).
 */
import { shownMessages } from "./timeline.js";

/** Return whether a message counts as unread for a viewer who has not read it. */
export function countsAsUnread(message, viewerId) {
  return message.message_type !== "system" && message.sender_user_id !== viewerId;
}

/** Return whether a message counts as a mention of a viewer who has not read it. */
export function countsAsMention(message, viewerId) {
  const names = (message.mentions ?? []).some((mention) => mention.user_id === viewerId);
  return names && message.sender_user_id !== viewerId;
}

/**
 * Return the number of messages after a read position for which `counts` is true.
 *
 * It is exact if the loaded history reaches back to the position. Otherwise only the server knows:
 * `given` is its figure. It may include messages whose events have not arrived yet, so it is only
 * the second choice.
 */
function countAfter(conversation, timeline, position, counts, given) {
  if (position >= conversation.last_sequence) return 0;
  if (timeline && position + 1 >= timeline.covers_from) {
    return shownMessages(timeline).filter((message) => message.sequence > position && counts(message)).length;
  }
  return given;
}

/** Return how many unread messages mention the viewer; undefined if the loaded history does not reach back so far. */
export function loadedMentions(conversation, timeline, viewerId) {
  const position = conversation.me.last_read_sequence;
  return countAfter(conversation, timeline, position, (message) => countsAsMention(message, viewerId), undefined);
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
  return {
    ...conversation,
    me: { ...conversation.me, last_read_sequence: sequence },
    unread_count: countAfter(
      conversation,
      timeline,
      sequence,
      (message) => countsAsUnread(message, viewerId),
      given?.unread_count ?? conversation.unread_count,
    ),
    mention_count: countAfter(
      conversation,
      timeline,
      sequence,
      (message) => countsAsMention(message, viewerId),
      given?.mention_count ?? conversation.mention_count ?? 0,
    ),
  };
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
