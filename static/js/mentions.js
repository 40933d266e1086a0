/**
 * Mentions: where they lie in a text, and whom somebody who writes means.
 *
 * The protocol counts code points, JavaScript units of UTF-16: here is the one place where one becomes the
 * other. What is written "@Ben" means Ben for as long as it stands in the text, however it came there and
 * whatever is written around it: nothing must be remembered between typing and sending. Lives here: pure
 * functions. Does not live here: the list under the field (views/mention_list.js).
 *
 * @typedef {{user_id: string, offset: number, length: number}} Mention in code points
 * @typedef {{label: string, user_id: string}} Label what stands for somebody in a text
 */

const WORD = /[\p{L}\p{N}_]/u;
const BEGUN = /(?:^|[^\p{L}\p{N}_@])@([^\s@]{0,40})$/u;
const OFFERED = 8;

const codePoints = (text) => Array.from(text);

/** Return the name that is being written before the caret, with where its "@" stands; null if there is none. */
export function begunMention(text, caret) {
  const found = BEGUN.exec(text.slice(0, caret));
  return found ? { start: caret - found[1].length - 1, query: found[1] } : null;
}

/** Return the members whom a begun name may mean, whose names begin with it first. */
export function membersLike(members, query, viewerId) {
  const wanted = query.toLocaleLowerCase();
  const rank = ({ display_name: name, username }) => {
    const [shown, handle] = [name.toLocaleLowerCase(), username.toLocaleLowerCase()];
    if (shown.startsWith(wanted) || handle.startsWith(wanted)) return 0;
    return shown.split(/\s+/).some((word) => word.startsWith(wanted)) ? 1 : 2;
  };
  return members
    .filter((one) => one.user_id !== viewerId)
    .map((one) => ({ one, rank: rank(one) }))
    .filter((found) => found.rank < 2)
    .sort((a, b) => a.rank - b.rank || a.one.display_name.localeCompare(b.one.display_name))
    .slice(0, OFFERED)
    .map((found) => found.one);
}

/** Return what is written for a member: the name, or the user name where somebody else is called so, too. */
export function labelOf(member, members) {
  const isNamedSo = (one) => one.display_name === member.display_name || one.username === member.display_name;
  const alone = !members.some((one) => one.user_id !== member.user_id && isNamedSo(one));
  return `@${alone ? member.display_name : member.username}`;
}

/** Return all that stands for members: user names, and the names that only one of them has. */
export function labelsOf(members) {
  return members.flatMap((one) =>
    [...new Set([`@${one.username}`, labelOf(one, members)])].map((label) => ({ label, user_id: one.user_id })),
  );
}

/** Return what stands for people in a message, so that an edit keeps those who left or changed their name. */
export function labelsOfMessage({ content, mentions = [] }) {
  return mentionParts(content, mentions)
    .filter((part) => part.user_id)
    .map((part) => ({ label: part.text, user_id: part.user_id }));
}

/**
 * Return the mentions in a text, in its order, at most so many. A label must stand by itself; of several that
 * fit at a place the longest is meant.
 * @param {string} text
 * @param {Label[]} labels the earlier ones win over equal ones
 * @param {number} most
 * @returns {Mention[]}
 */
export function findMentions(text, labels, most) {
  const longestFirst = labels.toSorted((one, other) => other.label.length - one.label.length);
  const begins = new Set(labels.map(({ label }) => label[0]));
  const mentions = [];
  let index = 0;
  while (index < text.length && mentions.length < most) {
    if (!begins.has(text[index])) {
      index += 1;
      continue;
    }
    const fits = ({ label }) =>
      label && text.startsWith(label, index) && !isWord(before(text, index)) && !isWord(after(text, index + label.length));
    const found = longestFirst.find(fits);
    if (found) {
      const offset = codePoints(text.slice(0, index)).length;
      mentions.push({ user_id: found.user_id, offset, length: codePoints(found.label).length });
    }
    index += found ? found.label.length : 1;
  }
  return mentions;
}

const isWord = (character) => WORD.test(character);
const before = (text, index) => codePoints(text.slice(Math.max(0, index - 2), index)).at(-1) ?? "";
const after = (text, index) => codePoints(text.slice(index, index + 2))[0] ?? "";

/**
 * Return a text in parts: those that mention somebody have a `user_id`. What does not fit the text is left out.
 * @param {string} text
 * @param {Mention[]} mentions
 * @returns {{text: string, user_id?: string}[]}
 */
export function mentionParts(text, mentions) {
  if (!mentions?.length) return text ? [{ text }] : [];
  const points = codePoints(text);
  const parts = [];
  let end = 0;
  for (const { user_id, offset, length } of mentions.toSorted((one, other) => one.offset - other.offset)) {
    if (offset < end || length < 1 || offset + length > points.length) continue;
    if (offset > end) parts.push({ text: points.slice(end, offset).join("") });
    end = offset + length;
    parts.push({ text: points.slice(offset, end).join(""), user_id });
  }
  if (end < points.length) parts.push({ text: points.slice(end).join("") });
  return parts;
}
