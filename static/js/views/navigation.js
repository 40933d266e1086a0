/** The address's fragment: which conversation is open, so that the back button works. */

/** Return the id of the conversation that the address names, or null. */
export function conversationInAddress() {
  return location.hash.match(/^#\/c\/([0-9a-f-]+)$/)?.[1] ?? null;
}

/** Open a conversation, as a step that the back button undoes. */
export function navigateTo(conversationId) {
  location.hash = `#/c/${conversationId}`;
}

/** Go to the list. */
export function navigateToList() {
  location.hash = "#/";
}
