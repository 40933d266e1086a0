/**
 * The content of a conversation as a flat list of items: days, the unread line, notices, bubbles.
 *
 * Bubbles of one person within five minutes are a group: the first has the name, the last the tail
 * and the avatar. Lives here: that list, computed from the state. Does not live here:
 * elements (message.js).
 */
import { quotedMessage, shownBubbles } from "../state/selectors.js";
import { dayHeading, dayKey, messageLine, nameOf, systemText, typingLine } from "../wording.js";

const GROUP_WITHIN_MS = 5 * 60_000;

function belongTogether(one, other) {
  if (!one || !other || one.message.message_type === "system" || other.message.message_type === "system") return false;
  const [before, after] = [one.message, other.message];
  return (
    before.sender_user_id === after.sender_user_id &&
    dayKey(before.created_at) === dayKey(after.created_at) &&
    Math.abs(Date.parse(after.created_at) - Date.parse(before.created_at)) < GROUP_WITHIN_MS
  );
}

function quoteOf(state, id, message) {
  if (!message.reply_to_id || message.deleted_at) return null;
  const quoted = quotedMessage(state, id, message.reply_to_id);
  const known = quoted
    ? { name: nameOf(state, quoted.sender_user_id), line: messageLine(state, quoted), authorId: quoted.sender_user_id }
    : { name: "", line: quoted === undefined ? "…" : "Message not available", authorId: "" };
  return { id: message.reply_to_id, missing: quoted === undefined, ...known };
}

/** Return the key of a message; my own keep it, and so their element, from pending to read. */
function keyOf({ message, mine }) {
  return mine && message.client_message_id ? `mine ${message.client_message_id}` : message.id;
}

function bubbleItem(state, conversation, bubble, before, after, offersAny) {
  const { message, mine, delivery, entry } = bubble;
  const inGroup = conversation.type !== "direct";
  const first = !belongTogether(before, bubble);
  const last = !belongTogether(bubble, after);
  const person = state.people[message.sender_user_id];
  const authorName = nameOf(state, message.sender_user_id);
  const quote = quoteOf(state, conversation.id, message);
  const item = {
    form: "bubble",
    key: keyOf(bubble),
    message,
    viewerId: state.me.id,
    mine,
    delivery,
    entry,
    first,
    last,
    quote,
    authorName,
    authorAvatar: person?.avatar_url ?? "",
    senderName: inGroup && !mine && first ? authorName : "",
    showsAvatar: inGroup && !mine ? last : null,
    hasMenu: offersAny(bubble),
  };
  item.signature = JSON.stringify([
    message.sequence,
    message.content,
    message.edited_at,
    message.deleted_at,
    delivery,
    entry?.error,
    first,
    last,
    item.senderName,
    item.showsAvatar && item.authorName + item.authorAvatar,
    quote,
    item.hasMenu,
  ]);
  return item;
}

/**
 * Return the items of a conversation.
 * @param {object} state
 * @param {string} id
 * @param {{unreadAfter: number|null, offersAny: (bubble: object) => boolean}} view `unreadAfter`
 *   is the sequence before the unread line, or null
 */
export function messageItems(state, id, { unreadAfter, offersAny }) {
  const conversation = state.conversations[id];
  const bubbles = shownBubbles(state, id);
  const items = [];
  let day = null;
  let lineDrawn = unreadAfter === null;
  bubbles.forEach((bubble, index) => {
    const { message } = bubble;
    const thisDay = dayKey(message.created_at);
    if (thisDay !== day) {
      day = thisDay;
      const text = dayHeading(message.created_at);
      items.push({ form: "day", key: `day before ${keyOf(bubble)}`, text, signature: text });
    }
    if (!lineDrawn && message.sequence > unreadAfter && !bubble.mine && message.message_type !== "system") {
      lineDrawn = true;
      items.push({ form: "unread", key: "unread", signature: "" });
    }
    if (message.message_type === "system") {
      const text = systemText(state, message);
      items.push({ form: "system", key: message.id, text, message, signature: text });
    } else {
      items.push(bubbleItem(state, conversation, bubble, bubbles[index - 1], bubbles[index + 1], offersAny));
    }
  });
  return [...items, ...typingItem(state, conversation)];
}

function typingItem(state, conversation) {
  const text = typingLine(state, conversation);
  if (!text) return [];
  const [authorId] = Object.keys(state.typing[conversation.id]);
  const authorName = nameOf(state, authorId);
  const authorAvatar = state.people[authorId]?.avatar_url ?? "";
  const showsAvatar = conversation.type !== "direct";
  return [{ form: "typing", key: "typing", text, authorId, authorName, authorAvatar, showsAvatar, signature: text }];
}
