/**
 * What the device shows outside of the page, kept in step with what is read in it: the service
 * worker is told up to where conversations were read, closes their notifications and sets the badge.
 *
 * Marks only rise, so a word that comes late closes nothing that is newer. Where no push was turned
 * on there is no worker, and nothing is told. Lives here: when and what. Does not live here: closing
 * (worker/events.js).
 */
import { allUnread, readMarks, risenMarks } from "./state/selectors.js";

const GATHER_MS = 250;

/**
 * Create it.
 * @param {object} options
 * @param {object} options.store
 * @param {ServiceWorkerContainer|undefined} options.container undefined where the browser has none
 * @param {object} [options.surroundings] timers, for tests
 */
export function createTray({ store, container, surroundings = globalThis }) {
  const { setTimeout } = surroundings;
  let reads = {};
  let timer = null;
  let toldBadge = null;

  async function tell() {
    timer = null;
    const { state } = store;
    if (!state.complete) return;
    const badge = allUnread(state);
    if (badge === toldBadge && Object.keys(reads).length === 0) return;
    const message = { type: "read", reads, badge };
    reads = {};
    toldBadge = badge;
    try {
      (await container.getRegistration("/"))?.active?.postMessage(message);
    } catch {
      // A browser that refuses workers shows nothing either.
    }
  }

  if (container) {
    store.subscribe((state, previous) => {
      if (state.conversations === previous.conversations && state.link === previous.link) return;
      // What was read elsewhere while this page was away is closed too.
      const arrived = state.link === "online" && previous.link !== "online";
      Object.assign(reads, arrived ? readMarks(state) : risenMarks(state, previous));
      if (arrived) toldBadge = null;
      timer ??= setTimeout(tell, GATHER_MS);
    });
  }
}
