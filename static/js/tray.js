/**
 * Updates shown notifications and the badge when the page reads messages: the service worker gets the
 * read positions, closes the notifications up to them and sets the badge.
 *
 * Read positions only rise, so a late message closes nothing that is newer. Where push is not turned on
 * there is no worker, and nothing is sent. Lives here: when to send what. Does not live here: closing
 * (worker/events.js).
 */
import { allUnread, readPositions, risenReadPositions } from "./state/selectors.js";

const GATHER_MS = 250;

/**
 * Create the tray.
 * @param {object} options
 * @param {object} options.store
 * @param {ServiceWorkerContainer|undefined} options.container undefined where the browser has none
 * @param {object} [options.surroundings] timers, for tests
 */
export function createTray({ store, container, surroundings = globalThis }) {
  const { setTimeout } = surroundings;
  let reads = {};
  let timer = null;
  let sentBadge = null;

  async function send() {
    timer = null;
    const { state } = store;
    if (!state.complete) return;
    const badge = allUnread(state);
    if (badge === sentBadge && Object.keys(reads).length === 0) return;
    const message = { type: "read", reads, badge };
    reads = {};
    sentBadge = badge;
    try {
      (await container.getRegistration("/"))?.active?.postMessage(message);
    } catch {
      // A browser that refuses workers shows nothing either.
    }
  }

  if (container) {
    store.subscribe((state, previous) => {
      if (state.conversations === previous.conversations && state.link === previous.link) return;
      // Also close what was read elsewhere while this page had no connection.
      const arrived = state.link === "online" && previous.link !== "online";
      Object.assign(reads, arrived ? readPositions(state) : risenReadPositions(state, previous));
      if (arrived) sentBadge = null;
      timer ??= setTimeout(send, GATHER_MS);
    });
  }
}
