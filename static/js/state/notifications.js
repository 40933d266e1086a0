/**
 * The list of notifications: who mentioned me, replied to me, added me.
 *
 * The loaded part begins with the newest and has no gaps; ids rise with time. The unread number is the server's; what I
 * have read meanwhile is subtracted until the server sends a new one. A notification is read when
 * the list says so, or when its conversation was read up to it.
 *
 * Lives here: that list as pure functions over the state. Does not live here: loading it
 * (../notifications.js).
 *
 * @typedef {{items: object[], next: string|null, unread: number, loaded: boolean, error: string|null}} Notifications
 */

/** Return the list before anything is loaded. */
export function noNotifications() {
  return { items: [], next: null, unread: 0, loaded: false, error: null };
}

/** Return whether a notification was read, on any device. */
export function isRead(state, item) {
  return Boolean(item.read_at) || state.conversations[item.conversation_id]?.me.last_read_sequence >= item.sequence;
}

/** Return the number of unread notifications. */
export function unreadNotifications(state) {
  const { items, unread } = state.notifications;
  const readSince = items.filter((item) => !item.read_at && isRead(state, item)).length;
  return Math.max(0, unread - readSince);
}

const newestFirst = (one, other) => (one.id < other.id ? 1 : -1);

/** Mark entries that count as read: the server's new number excludes them, so they must not be subtracted again. */
function settled(state) {
  return state.notifications.items.map((item) => (!item.read_at && isRead(state, item) ? { ...item, read_at: item.created_at } : item));
}

/** Return the state after a `notification` frame. */
export function receiveNotification(state, { notification, unread_count: unread }) {
  const existing = settled(state).filter((item) => item.id !== notification.id);
  const items = [notification, ...existing].sort(newestFirst);
  return { ...state, notifications: { ...state.notifications, items, unread } };
}

/** Return the state after a `notifications_read` frame: that notification and everything before it is read. */
export function receiveNotificationsRead(state, { up_to: upTo, unread_count: unread }) {
  const items = settled(state).map((item) => (item.id <= upTo ? { ...item, read_at: item.read_at ?? item.created_at } : item));
  return { ...state, notifications: { ...state.notifications, items, unread } };
}

/**
 * Return the state after a page.
 * @param {object} state
 * @param {{page: {results: object[], next: string|null, unread_count: number}, first: boolean, came: string[]}} action
 *   `first`: the newest page, which replaces all items except those that `came` in frames during the request
 */
export function receiveNotificationPage(state, { page, first, came }) {
  const { items: existing, unread } = state.notifications;
  const known = new Set(page.results.map((item) => item.id));
  const kept = existing.filter((item) => !known.has(item.id) && (!first || came.includes(item.id)));
  const items = [...kept, ...page.results].sort(newestFirst);
  // If a frame came during the request, the number in the answer is older; so is the number in an older page.
  const counted = first && came.every((id) => known.has(id));
  const notifications = { items, next: page.next, unread: counted ? page.unread_count : unread, loaded: true, error: null };
  return { ...state, notifications };
}
