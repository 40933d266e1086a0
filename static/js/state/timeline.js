/**
 * The loaded part of a conversation's history.
 *
 * A timeline has every message whose sequence is at least `covers_from`. Events extend it towards
 * the head; pages that end just before `covers_from` extend it towards the past. Below `covers_from`
 * there may be strays: messages that an event changed although their page was never loaded. A stray
 * is not shown. It is kept because a page that was requested before the event may still have the
 * older text, which must not replace the newer one.
 *
 * Lives here: that window as pure functions. Does not live here: fetching pages (history.js).
 *
 * @typedef {{messages: object[], covers_from: number, has_more: boolean, loaded: boolean}} Timeline
 */

/** Return a timeline that will cover everything after a head and nothing before it. */
export function emptyTimeline(head) {
  return { messages: [], covers_from: head + 1, has_more: head > 0, loaded: head === 0 };
}

/** Return the index of the first message with at least this sequence. */
function position(messages, sequence) {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the timeline with a message added or replaced; `touched` is the number of the event that changed it. */
export function putMessage(timeline, message, touched) {
  const index = position(timeline.messages, message.sequence);
  const messages = timeline.messages.slice();
  const replaced = messages[index]?.sequence === message.sequence ? 1 : 0;
  messages.splice(index, replaced, { ...message, touched });
  return { ...timeline, messages };
}

/**
 * Return the timeline with a page of older messages in front.
 * @param {Timeline} timeline
 * @param {{before: number, requested_at: number, results: object[], has_more: boolean}} page
 *   `before` is `covers_from` at the request, `requested_at` the cursor at the request
 */
export function prependPage(timeline, page) {
  if (page.before !== timeline.covers_from) return timeline;
  const older = page.results.filter((message) => message.sequence < page.before);
  const hasMore = page.has_more && older.length > 0;
  const from = hasMore ? Math.min(...older.map((message) => message.sequence)) : 1;
  let next = { ...timeline, covers_from: from, has_more: hasMore, loaded: true };
  for (const message of older) {
    const existing = findBySequence(next, message.sequence);
    if (!existing || existing.touched <= page.requested_at) next = putMessage(next, message, page.requested_at);
  }
  return next;
}

/** Return the message with this sequence, stray or not. */
export function findBySequence(timeline, sequence) {
  const found = timeline.messages[position(timeline.messages, sequence)];
  return found?.sequence === sequence ? found : undefined;
}

/** Return the messages that may be shown, oldest first. */
export function shownMessages(timeline) {
  const index = position(timeline.messages, timeline.covers_from);
  return index === 0 ? timeline.messages : timeline.messages.slice(index);
}

/** Return the timeline with only its newest `keep` messages. */
export function trimTimeline(timeline, keep) {
  const shown = shownMessages(timeline);
  if (shown.length <= keep) return timeline;
  const messages = shown.slice(shown.length - keep);
  return { ...timeline, messages, covers_from: messages[0].sequence, has_more: true };
}
