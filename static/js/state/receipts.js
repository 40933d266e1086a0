/**
 * Receipts: watermarks, unread counts and the ticks that follow from them.
 *
 * Watermarks only rise, so receipts may arrive late, twice or in any order. Lives here: that
 * arithmetic. Does not live here: sending receipts (receipts.js one floor up).
 */
import { shownMessages } from "./timeline.js";

/** Say whether a message counts as unread for a viewer who has not read it. */
export function countsAsUnread(message, viewerId) {
  return message.message_type !== "system" && message.sender_user_id !== viewerId;
}

/** Say whether a message counts as a mention of a viewer who has not read it. */
export function countsAsMention(message, viewerId) {
  const names = (message.mentions ?? []).some((mention) => mention.user_id === viewerId);
  return names && message.sender_user_id !== viewerId;
}

/**
 * Return the number of messages after a read mark that count.
 *
 * Exact where the held history reaches back to the mark. Elsewhere only the server can know, and
 * `given` is its figure; it may include messages whose events are still on their way, which is
 * why it is the second choice.
 */
function countAfter(conversation, timeline, mark, counts, given) {
  if (mark >= conversation.last_sequence) return 0;
  if (timeline && mark + 1 >= timeline.covers_from) {
    return shownMessages(timeline).filter((message) => message.sequence > mark && counts(message)).length;
  }
  return given;
}

/** Return how many unread messages mention the viewer, undefined where the held history does not reach back so far. */
export function mentionsHeld(conversation, timeline, viewerId) {
  const mark = conversation.me.last_read_sequence;
  return countAfter(conversation, timeline, mark, (message) => countsAsMention(message, viewerId), undefined);
}

/** Return the conversation with a participant's watermark raised, or the same one. */
export function raiseWatermark(conversation, userId, field, sequence) {
  const index = conversation.participants.findIndex((one) => one.user_id === userId);
  const held = conversation.participants[index];
  if (!held || held[field] >= sequence) return conversation;
  const participants = conversation.participants.slice();
  participants[index] = { ...held, [field]: sequence };
  return { ...conversation, participants };
}

/**
 * Return the conversation with my own read mark raised and the counts that follow.
 *
 * The server tells a move on another device twice, first the mark and then the counts: `given` ones are
 * taken for a mark that stands there already, too.
 */
export function raiseOwnRead(conversation, timeline, viewerId, sequence, given) {
  const mark = conversation.me.last_read_sequence;
  if (sequence < mark || (sequence === mark && given === undefined)) return conversation;
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
 * Return up to where everybody else has received and read.
 * Nobody else, or more people than the body lists: null, then the message's own status is used.
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
