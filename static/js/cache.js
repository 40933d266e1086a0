/**
 * The snapshot on disk (IndexedDB): a reload shows it at once and loads only newer events.
 *
 * One record per conversation with its newest messages, and one record for the rest. A save writes
 * the changes since the last one in a single transaction, so cursors and messages agree. Presence
 * and typing are not stored. Where IndexedDB is refused (private windows, full disks) the client
 * works without a cache. Lives here: loading, saving, wiping. Does not live here: unsent messages
 * (outbox.js), which must be on disk before a function returns.
 */
import { KEPT_MESSAGES } from "./state/reducer.js";
import { trimTimeline } from "./state/timeline.js";

const DATABASE = "chatsite";
/** Increase it when the shape of the stored state changes: an older snapshot is dropped, not converted. */
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
  // A tab with an older version of this script may keep the database open for days.
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

/** Create the cache; `owner` is the id of the user whose data it may contain. */
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
    /** Start saving changes, each after a short delay. */
    keep() {
      saved = null;
      store.subscribe(() => {
        timer ??= setTimeout(() => save().catch(() => {}), SAVE_AFTER_MS);
      });
    },
    /** Stop saving: the session has ended. */
    close() {
      closed = true;
    },
    /** Save now: the page may be about to close. */
    flush() {
      if (timer === null) return;
      clearTimeout(timer);
      save().catch(() => {});
    },
  };
}

/** Remove the data of every user of this browser. */
export async function wipeCache() {
  try {
    // Open the existing version: a tab with an older script could block the opening of a newer one.
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
    // This browser allows no database, so there is nothing to remove.
  }
}
