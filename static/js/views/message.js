/**
 * One item of a conversation: a day, the unread line, a system notice, a bubble, a person typing.
 *
 * Lives here: making an element of an item. Does not live here: which items there are
 * (message_items.js) and the scroll position (message_list.js).
 */
import { clockTime, fullTime } from "../wording.js";
import { avatar, colourOf } from "./avatar.js";
import { h, icon } from "./dom.js";
import { isOnlyEmoji, textNodes } from "./rich_text.js";
import { ticks } from "./ticks.js";

function locationCard({ latitude, longitude, label }) {
  const place = `${Number(latitude).toFixed(5)}, ${Number(longitude).toFixed(5)}`;
  return h(
    "a",
    { class: "location-card", href: `geo:${Number(latitude)},${Number(longitude)}` },
    h("span", { class: "location-pin" }, icon("pin")),
    h("span", { class: "location-words" }, h("span", { class: "location-label" }, label || "Location"), h("span", { class: "location-place" }, place)),
  );
}

function quote(item) {
  const { id, name, line, authorId } = item.quote;
  return h(
    "button",
    { type: "button", class: `quote accent-${colourOf(authorId)}`, dataset: { action: "quote", quoted: id } },
    h("span", { class: "quote-name" }, name),
    h("span", { class: "quote-line" }, line),
  );
}

function content({ message, viewerId }) {
  if (message.deleted_at) return [h("span", { class: "deleted-text" }, icon("trash"), "Message deleted")];
  const text = message.content && h("span", { class: "text" }, ...textNodes(message.content, message.mentions, viewerId));
  if (message.message_type === "location") return [locationCard(message.metadata ?? {}), text];
  return [text];
}

function meta(item) {
  const { message, delivery } = item;
  return h(
    "span",
    { class: "meta" },
    message.edited_at && !message.deleted_at && h("span", {}, "edited"),
    h("time", { datetime: message.created_at, title: fullTime(message.created_at) }, clockTime(message.created_at)),
    delivery && !message.deleted_at && ticks(delivery),
  );
}

function bubble(item) {
  const { message } = item;
  const emoji = message.message_type === "text" && !message.deleted_at && !item.quote && isOnlyEmoji(message.content);
  return h(
    "div",
    { class: emoji ? "bubble bubble-emoji" : "bubble" },
    item.senderName && h("span", { class: `sender ink-${colourOf(message.sender_user_id)}` }, item.senderName),
    item.quote && quote(item),
    ...content(item),
    meta(item),
  );
}

function bubbleClass(item) {
  const classes = ["message", item.mine ? "mine" : "theirs"];
  if (item.first) classes.push("first");
  if (item.last) classes.push("last");
  if (item.showsAvatar !== null) classes.push("with-avatar");
  if (item.delivery === "failed") classes.push("failed");
  return classes.join(" ");
}

function fillBubble(element, item) {
  element.className = bubbleClass(item);
  element.dataset.sequence = item.message.sequence ?? "";
  element.dataset.messageId = item.message.id ?? "";
  const menu =
    item.hasMenu &&
    h(
      "button",
      { type: "button", class: "message-menu-button", "aria-label": "Message menu", "aria-haspopup": "menu", dataset: { action: "menu" } },
      icon("more"),
    );
  const note = item.entry?.state === "failed" && h("p", { class: "failure" }, item.entry.error || "Not sent");
  const face =
    item.showsAvatar &&
    avatar({ id: item.message.sender_user_id, name: item.authorName, url: item.authorAvatar, size: "tiny" });
  element.replaceChildren(
    ...[
      item.showsAvatar !== null && h("span", { class: "avatar-slot" }, face),
      h("div", { class: "bubble-row" }, bubble(item), menu),
      note,
    ].filter(Boolean),
  );
}

const FORMS = {
  day: (element, item) => {
    element.className = "day";
    element.replaceChildren(h("span", {}, item.text));
  },
  unread: (element) => {
    element.className = "unread-line";
    element.replaceChildren(h("span", {}, "New messages"));
  },
  system: (element, item) => {
    element.className = "system";
    element.replaceChildren(h("span", {}, item.text));
  },
  typing: (element, item) => {
    element.className = "message theirs typing first last";
    const face = item.showsAvatar && avatar({ id: item.authorId, name: item.authorName, url: item.authorAvatar, size: "tiny" });
    element.replaceChildren(
      face ? h("span", { class: "avatar-slot" }, face) : "",
      h(
        "div",
        { class: "bubble typing-bubble" },
        h("span", { class: "dots", "aria-hidden": "true" }, h("span"), h("span"), h("span")),
        h("span", { class: "visually-hidden" }, item.text),
      ),
    );
  },
  bubble: fillBubble,
};

/** Make the element of an item. */
export function createItem(item) {
  const element = h("li", { dataset: { key: item.key } });
  FORMS[item.form](element, item);
  return element;
}

/** Update an item's element if anything that it shows has changed. */
export function updateItem(element, item, previous) {
  if (item.signature !== previous.signature) FORMS[item.form](element, item);
}
