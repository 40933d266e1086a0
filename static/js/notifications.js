/**
 * Loading the list of notifications, and marking it read.
 *
 * Frames bring new notifications, but frames can get lost: so each connection begins by loading the
 * newest page. It is also loaded after a read position rose, because this client only estimates the
 * number of unread notifications that the server counts exactly.
 *
 * Lives here: when to make which request. Does not live here: effects of the answers (state/notifications.js).
 */
import { waitingTime } from "./backoff.js";
import { unreadNotifications } from "./state/notifications.js";
import { risenReadPositions } from "./state/selectors.js";

const COUNT_AGAIN_MS = 3_000;

/** Create the loader. */
export function createNotifications({ store, api, surroundings = globalThis }) {
  const { setTimeout } = surroundings;
  const random = surroundings.random ?? Math.random;
  const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

  let generation = 0;
  let came = [];
  let loadingOlder = false;
  let counting = null;

  /** Load the newest page; a later call, or the end of the connection, cancels an earlier one. */
  async function refresh() {
    generation += 1;
    const mine = generation;
    for (let failures = 0; mine === generation; failures += 1) {
      came = [];
      try {
        const page = await api.notifications();
        if (mine === generation) store.dispatch({ type: "notifications_loaded", page, first: true, came });
        return;
      } catch (error) {
        if (mine !== generation) return;
        store.dispatch({ type: "notifications_failed", error: error.message });
        if (!error.temporary) return;
        await pause(waitingTime(error.retryAfter, failures + 2, random));
      }
    }
  }

  function countAgain() {
    counting ??= setTimeout(() => {
      counting = null;
      if (store.state.link === "online") refresh();
    }, COUNT_AGAIN_MS);
  }

  /** Return whether I left a conversation of the list: the server no longer lists its notifications. */
  function leftOne(state, previous) {
    return state.notifications.items.some(({ conversation_id: id }) => previous.conversations[id] && !state.conversations[id]);
  }

  store.subscribe((state, previous) => {
    if (state.conversations === previous.conversations || unreadNotifications(previous) === 0) return;
    if (Object.keys(risenReadPositions(state, previous)).length > 0 || leftOne(state, previous)) countAgain();
  });

  return {
    refresh,
    /** Load the page after the loaded ones; return whether it came. */
    async loadOlder() {
      const { next } = store.state.notifications;
      if (!next || loadingOlder) return false;
      loadingOlder = true;
      const mine = generation;
      try {
        const page = await api.notifications(next);
        // The newest page was loaded meanwhile, so the list has another end.
        if (mine !== generation) return false;
        store.dispatch({ type: "notifications_loaded", page, first: false, came: [] });
        return true;
      } finally {
        loadingOlder = false;
      }
    },
    /** Mark all notifications read, up to the newest loaded one. Throws the server's refusal. */
    async markAllRead() {
      const newest = store.state.notifications.items[0];
      if (!newest) return;
      await api.readNotifications(newest.id);
      const later = store.state.notifications.items.filter((item) => item.id > newest.id && !item.read_at);
      store.dispatch({ type: "frame_received", frame: { type: "notifications_read", up_to: newest.id, unread_count: later.length } });
    },
    linkChanged(link) {
      if (link !== "connected") generation += 1;
    },
    frameReceived(frame) {
      if (frame.type === "connected") refresh();
      else if (frame.type === "notification") came.push(frame.notification.id);
    },
  };
}
