/** The address's fragment: which conversation is open, and at which message, so that the back button works. */

const PLACE = /^#\/c\/([0-9a-f-]+)(?:\/(\d+))?$/;

/** Return the id of the conversation in the address, or null. */
export function conversationInAddress() {
  return location.hash.match(PLACE)?.[1] ?? null;
}

/** Return the sequence of the message in the address, or null. */
export function sequenceInAddress() {
  const sequence = location.hash.match(PLACE)?.[2];
  return sequence ? Number(sequence) : null;
}

/** Open a conversation, with an entry in the browser's history. */
export function navigateTo(conversationId) {
  location.hash = `#/c/${conversationId}`;
}

/** Open a conversation at a message, also if the address is the same already. */
export function navigateToMessage(conversationId, sequence) {
  const place = `#/c/${conversationId}/${sequence}`;
  if (location.hash === place) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = place;
}

/** Go to the list. */
export function navigateToList() {
  location.hash = "#/";
}
