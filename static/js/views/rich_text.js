/**
 * Text of people as nodes: plain text, with web addresses as links and mentions marked.
 *
 * Lives here: finding addresses, marking mentions, and deciding whether a text is only emoji. Nothing here parses
 * markup; a link is an element whose address begins with http or https.
 */
import { mentionParts } from "../mentions.js";
import { h } from "./dom.js";

const ADDRESS = /\bhttps?:\/\/[^\s<>"'“”]+/gi;
const TRAILING = /[.,;:!?)\]}…]+$/;
const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\u200d\p{Extended_Pictographic}|\ufe0f|[\u{e0020}-\u{e007f}])*\s?){1,3}$/u;

/** Return the nodes of a text that mentions people; mentions of the viewer are highlighted. */
export function textNodes(text, mentions, viewerId) {
  return mentionParts(text, mentions).flatMap((part) => {
    if (!part.user_id) return linkNodes(part.text);
    if (part.user_id === viewerId) return h("mark", { class: "mention mention-me" }, part.text);
    return h("span", { class: "mention" }, part.text);
  });
}

function linkNodes(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(TRAILING, "");
    if (!URL.canParse(address)) continue;
    if (match.index > end) nodes.push(text.slice(end, match.index));
    nodes.push(h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, address));
    end = match.index + address.length;
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

/** Return whether a text is one to three emoji, which are shown large. */
export const isOnlyEmoji = (text) => EMOJI_ONLY.test(text);
