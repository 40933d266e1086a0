/**
 * The snapshot on disk (IndexedDB): a reload paints at once and asks only for what is new.
 *
 * One record per conversation with its newest messages, and one record for the rest; a save writes
 * what changed since the last one in a single transaction, so cursors and messages agree. Presence
 * and typing are not kept. Where IndexedDB is refused (private windows, full disks) the client
 * works without a cache. Lives here: loading, saving, wiping. Does not live here: unsent messages
 * (outbox.js), which must be on disk before a function returns.
 */
import { KEPT_MESSAGES } from "./state/reducer.js";
import { trimTimeline } from "./state/timeline.js";

const DATABASE = "chatsite";
/** Raise it when the shape of the kept state changes: an older snapshot is dropped, not converted. */
const VERSION = 2;
const SAVE_AFTER_MS = 400;
const KEPT_PARTS = ["me", "epoch", "since", "complete", "reads", "people", "limits"];

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function openDatabase() {
  const request = indexedDB.open(DATABASE, VERSION);
  request.onupgradeneeded = () => {
    for (const name of [...request.result.objectStoreNames]) request.result.deleteObjectStore(name);
    request.result.createObjectStore("rest");
    request.result.createObjectStore("conversations", { keyPath: "id" });
  };
  const opening = settled(request);
  // A tab with an older version of this script holds the database and may do so for days.
  const blocked = new Promise((_, reject) => {
    request.onblocked = () => {
      reject(new Error("another tab holds an older snapshot"));
      opening.then((late) => late.close(), () => {});
    };
  });
  const base = await Promise.race([opening, blocked]);
  base.onversionchange = () => base.close();
  return base;
}

/** Create the cache; `owner` is the id of the user whose data it may hold. */
export function createCache({ store, owner }) {
  let opening = null;
  let saved = null;
  let timer = null;
  let closed = false;

  function database() {
    opening ??= openDatabase().catch(() => null);
    return opening;
  }

  async function load() {
    const base = await database();
    if (!base) return null;
    const transaction = base.transaction(["rest", "conversations"]);
    const [rest, records] = await Promise.all([
      settled(transaction.objectStore("rest").get("rest")),
      settled(transaction.objectStore("conversations").getAll()),
    ]);
    if (!rest || rest.me.id !== owner) return null;
    return {
      ...rest,
      conversations: Object.fromEntries(records.map((one) => [one.id, one.conversation])),
      timelines: Object.fromEntries(records.map((one) => [one.id, one.timeline])),
    };
  }

  async function save() {
    timer = null;
    const base = await database();
    if (!base || closed) return;
    const { state } = store;
    const transaction = base.transaction(["rest", "conversations"], "readwrite");
    if (KEPT_PARTS.some((part) => state[part] !== saved?.[part])) {
      const rest = Object.fromEntries(KEPT_PARTS.map((part) => [part, state[part]]));
      transaction.objectStore("rest").put(rest, "rest");
    }
    const records = transaction.objectStore("conversations");
    if (!saved) records.clear();
    for (const [id, conversation] of Object.entries(state.conversations)) {
      const unchanged =
        saved?.conversations[id] === conversation && saved.timelines[id] === state.timelines[id];
      if (!unchanged) {
        records.put({ id, conversation, timeline: trimTimeline(state.timelines[id], KEPT_MESSAGES) });
      }
    }
    for (const id of Object.keys(saved?.conversations ?? {})) {
      if (!state.conversations[id]) records.delete(id);
    }
    saved = state;
  }

  return {
    /** Return the cached part of the state, or null. */
    load: () => load().catch(() => null),
    /** Begin to save changes, a moment after they happened. */
    keep() {
      saved = null;
      store.subscribe(() => {
        timer ??= setTimeout(() => save().catch(() => {}), SAVE_AFTER_MS);
      });
    },
    /** Save nothing from now on: the session is over. */
    close() {
      closed = true;
    },
    /** Save now: the page may be about to go. */
    flush() {
      if (timer === null) return;
      clearTimeout(timer);
      save().catch(() => {});
    },
  };
}

/** Remove everything that any user of this browser left here. */
export async function wipeCache() {
  try {
    // As it is: a tab with an older version of this script could keep a newer one waiting.
    const base = await settled(indexedDB.open(DATABASE));
    const names = [...base.objectStoreNames];
    if (names.length === 0) {
      base.close();
      await settled(indexedDB.deleteDatabase(DATABASE));
      return;
    }
    const transaction = base.transaction(names, "readwrite");
    for (const name of names) transaction.objectStore(name).clear();
    await new Promise((resolve) => {
      transaction.oncomplete = resolve;
      transaction.onerror = resolve;
    });
    base.close();
  } catch {
    // There can be no database here, and so nothing to remove.
  }
}
