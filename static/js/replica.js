/**
 * Keeping the local copy of my conversations equal to the server's.
 *
 * The order of snapshot and live frames, and why no event can be missed between them:
 *
 * 1. The socket comes first. From `connected` on, every event of my conversations is either a live
 *    frame on this socket or older than the server time in `connected`.
 * 2. Only then is the list loaded, page by page, and only if the cache has none. `last_sequence` of
 *    each body says how much of its log it contains. Live frames that come meanwhile follow the
 *    ordinary rule: for a loaded conversation they are applied; for another one they open a repair
 *    that loads it, and are buffered there. A body that comes after a newer event was applied is
 *    ignored (state/log.js).
 * 3. Then `sync` is sent with the cursors of that moment. Events missed between two pages, or between
 *    the body and the socket, are below a head and come now. A conversation that moved from one page
 *    to another while pages were read is in `heads` and is loaded by its id; one that I left
 *    meanwhile is missing from `heads` and is dropped. Receipts have no numbers: the server sends
 *    those that changed after `since`, the time of the `connected` *before* the pages (or of the last
 *    completed sync), so receipts that changed while pages were read are included.
 * 4. `sync_complete` drops only conversations that the sync named, never one that was created after
 *    the sync was sent.
 * 5. A lost connection at any point starts again at 1; an incomplete list is loaded again.
 * 6. All numbers belong to one epoch of the log, which `connected` names. If it is not the epoch of
 *    the state, the state drops its data (state/reducer.js), and 2 begins with nothing.
 *
 * A reload starts at 3 with the cursors of the cache. A lost last event leaves no gap; the checksum
 * in `pong` shows it within one heartbeat, and leads to 3 as well.
 *
 * Lives here: when to make which request. Does not live here: effects of the answers (state/).
 */
import { fullJitter, waitingTime } from "./backoff.js";
import { summariseHeads } from "./checksum.js";
import { makeUuid } from "./identifiers.js";

const CURSORS_PER_SYNC = 1000;
const SYNC_TIMEOUT_MS = 30_000;
const REPAIRS_AT_ONCE = 4;

/**
 * Create the replica.
 * @param {object} options
 * @param {object} options.store
 * @param {{send(frame): boolean}} options.connection
 * @param {object} options.api
 * @param {object} [options.surroundings] timers, clock and random numbers, for tests
 */
export function createReplica({ store, connection, api, surroundings = globalThis }) {
  const { setTimeout } = surroundings;
  const now = surroundings.now ?? (() => Date.now());
  const random = surroundings.random ?? Math.random;
  const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

  const working = new Set();
  let generation = 0;
  let sync = null;
  /** The epoch that the server sent on this socket; a server of an older version sends none and accepts none. */
  let epoch;

  async function begin() {
    generation += 1;
    const mine = generation;
    sync = null;
    store.dispatch({ type: "link_changed", link: "updating" });
    if (!store.state.complete && !(await loadList(mine))) return;
    startSync();
  }

  /** Load all pages; return false if the connection was lost meanwhile, which cancels this. */
  async function loadList(mine) {
    let cursor = null;
    let failures = 0;
    do {
      try {
        const page = await api.conversations(cursor);
        if (mine !== generation) return false;
        store.dispatch({ type: "page_loaded", conversations: page.results });
        cursor = page.next;
        failures = 0;
      } catch (error) {
        await pause(waitingTime(error.retryAfter, failures, random));
        if (mine !== generation) return false;
        failures += 1;
      }
    } while (cursor || failures > 0);
    store.dispatch({ type: "list_completed" });
    return true;
  }

  function startSync() {
    const cursors = Object.values(store.state.conversations).map((one) => [one.id, one.last_sequence]);
    const parts = [];
    for (let start = 0; start < cursors.length || parts.length === 0; start += CURSORS_PER_SYNC) {
      parts.push(Object.fromEntries(cursors.slice(start, start + CURSORS_PER_SYNC)));
    }
    sync = { id: null, at: 0, asked: cursors.map(([id]) => id), parts, resync: [], since: null };
    sendPart();
  }

  function sendPart() {
    sync.id = makeUuid();
    sync.at = now();
    const frame = { type: "sync", id: sync.id, cursors: sync.parts[0], epoch };
    if (store.state.since) frame.since = store.state.since;
    connection.send(frame);
  }

  function partCompleted(frame) {
    if (frame.epoch !== epoch) {
      epoch = frame.epoch;
      store.dispatch({ type: "epoch_began", epoch, since: frame.server_time });
      begin();
      return;
    }
    sync.resync.push(...(frame.resync ?? []));
    sync.since ??= frame.server_time;
    sync.parts.shift();
    if (sync.parts.length > 0) {
      sendPart();
      return;
    }
    const { asked, resync, since } = sync;
    sync = null;
    store.dispatch({ type: "synced", heads: frame.heads, resync, asked, since });
    store.dispatch({ type: "link_changed", link: "online" });
  }

  async function syncRefused(frame) {
    const refused = sync;
    await pause(waitingTime(frame.retry_after, 2, random));
    if (sync === refused) startSync();
  }

  /** Compare heads with the server's, to find a lost last event, after which no later number comes. */
  function compareHeads(heads) {
    if (sync) {
      if (now() - sync.at > SYNC_TIMEOUT_MS) startSync();
      return;
    }
    if (!heads || !store.state.complete || Object.keys(store.state.repairs).length > 0) return;
    const mine = summariseHeads(
      Object.values(store.state.conversations).map((one) => [one.id, one.last_sequence]),
    );
    if (mine.count !== heads.count || mine.checksum !== heads.checksum) startSync();
  }

  async function repair(id) {
    working.add(id);
    let failures = 0;
    while (store.state.repairs[id]) {
      const before = store.state.conversations[id]?.last_sequence;
      try {
        await repairStep(id, store.state.repairs[id].kind, before);
        const moved = store.state.conversations[id]?.last_sequence !== before;
        failures = moved ? 0 : failures + 1;
      } catch (error) {
        failures += 1;
        if (error.status === 404 || error.status === 403) store.dispatch({ type: "conversation_missing", id });
        else if (error.status === 410) store.dispatch({ type: "range_lost", id });
        else await pause(waitingTime(error.retryAfter, failures, random));
        continue;
      }
      if (failures > 0 && store.state.repairs[id]) await pause(fullJitter(failures, random));
    }
    working.delete(id);
    repairAll(store.state);
  }

  async function repairStep(id, kind, after) {
    if (kind === "load") {
      store.dispatch({ type: "conversation_loaded", conversation: await api.conversation(id) });
    } else {
      const { events, has_more } = await api.events(id, after);
      store.dispatch({ type: "events_loaded", id, events, has_more });
    }
  }

  async function refreshRights(id) {
    working.add(`rights ${id}`);
    const asked = store.state.stale[id];
    let conversation = null;
    try {
      conversation = await api.conversation(id);
    } catch {
      // The shown rights stay as they were; the server refuses what is no longer allowed.
    }
    working.delete(`rights ${id}`);
    store.dispatch({ type: "rights_loaded", id, asked, conversation });
    repairAll(store.state);
  }

  function repairAll(state) {
    for (const id of Object.keys(state.repairs)) {
      if (working.size < REPAIRS_AT_ONCE && !working.has(id)) repair(id);
    }
    for (const id of Object.keys(state.stale)) {
      if (!working.has(`rights ${id}`)) refreshRights(id);
    }
  }

  store.subscribe((state, previous) => {
    if (state.repairs !== previous.repairs || state.stale !== previous.stale) repairAll(state);
  });

  return {
    /** Handle the loss of the connection; a new one begins with its `connected` frame. */
    linkChanged(link) {
      if (link === "connected") return;
      generation += 1;
      sync = null;
      store.dispatch({ type: "link_changed", link });
    },
    /** Handle the frames that control synchronisation. */
    frameReceived(frame) {
      if (frame.type === "connected") {
        epoch = frame.epoch;
        begin();
      } else if (frame.type === "pong") compareHeads(frame.heads);
      else if (!sync || frame.id !== sync.id) return;
      else if (frame.type === "sync_complete") partCompleted(frame);
      else if (frame.type === "error") syncRefused(frame);
    },
  };
}
