/**
 * Mentions: where they are in a text, and which people they name.
 *
 * The protocol counts code points, JavaScript units of UTF-16; only this module converts between them.
 * "@Ben" in a text means Ben, however it was typed and whatever is around it, so nothing must be remembered
 * between typing and sending. Lives here: pure functions. Does not live here: the list under the field
 * (views/mention_list.js).
 *
 * @typedef {{user_id: string, offset: number, length: number}} Mention in code points
 * @typedef {{label: string, user_id: string}} Label a text that names a person
 */

const WORD = /[\p{L}\p{N}_]/u;
const BEGUN = /(?:^|[^\p{L}\p{N}_@])@([^\s@]{0,40})$/u;
const OFFERED = 8;

const codePoints = (text) => Array.from(text);

/** Return the name that is being typed before the caret and the index of its "@"; null if there is none. */
export function begunMention(text, caret) {
  const found = BEGUN.exec(text.slice(0, caret));
  return found ? { start: caret - found[1].length - 1, query: found[1] } : null;
}

/** Return the members that a partly typed name may mean; first those whose names begin with it. */
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

/** Return the label of a member: the name, or the user name if another member has the same name. */
export function labelOf(member, members) {
  const isNamedSo = (one) => one.display_name === member.display_name || one.username === member.display_name;
  const alone = !members.some((one) => one.user_id !== member.user_id && isNamedSo(one));
  return `@${alone ? member.display_name : member.username}`;
}

/** Return all labels of members: user names, and the names that only one member has. */
export function labelsOf(members) {
  return members.flatMap((one) =>
    [...new Set([`@${one.username}`, labelOf(one, members)])].map((label) => ({ label, user_id: one.user_id })),
  );
}

/** Return the labels in a message, so that an edit keeps people who left or changed their name. */
export function labelsOfMessage({ content, mentions = [] }) {
  return mentionParts(content, mentions)
    .filter((part) => part.user_id)
    .map((part) => ({ label: part.text, user_id: part.user_id }));
}

/**
 * Return the mentions in a text, in its order, at most `most`. A label must not touch other word characters; of
 * several labels that match at an index the longest is used.
 * @param {string} text
 * @param {Label[]} labels of equal ones the first is used
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
 * Return a text in parts; parts that mention a person have a `user_id`. Mentions that do not fit the text are ignored.
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
