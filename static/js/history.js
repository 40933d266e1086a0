/**
 * Fetching messages outside the loaded history: older pages and quoted messages.
 *
 * Lives here: the requests, one at a time per conversation. Does not live here:
 * how a page is merged (state/timeline.js).
 */

const PAGE = 50;
const PAGES_PER_JUMP = 40;

/** Create the fetcher of history. */
export function createHistory({ store, api }) {
  const loading = new Map();
  const quotesAsked = new Set();

  async function fetchOlder(id) {
    const timeline = store.state.timelines[id];
    const requestedAt = store.state.conversations[id].last_sequence;
    const { covers_from: before } = timeline;
    const { results, has_more } = await api.messages(id, { before, limit: PAGE });
    store.dispatch({
      type: "history_loaded",
      id,
      page: { before, requested_at: requestedAt, results, has_more },
    });
  }

  /** Load the page before the loaded history; return false if there is none or the request failed. */
  async function loadOlder(id) {
    if (loading.has(id)) return loading.get(id);
    const timeline = store.state.timelines[id];
    if (!timeline || (timeline.loaded && !timeline.has_more)) return false;
    const request = fetchOlder(id)
      .then(() => true)
      .catch(() => false)
      .finally(() => loading.delete(id));
    loading.set(id, request);
    return request;
  }

  return {
    loadOlder,
    /** Return whether a page of this conversation is being loaded. */
    isLoading: (id) => loading.has(id),
    /** Load older pages until a message is covered; return whether it is. */
    async reach(id, sequence) {
      for (let page = 0; page < PAGES_PER_JUMP; page += 1) {
        const timeline = store.state.timelines[id];
        if (!timeline) return false;
        if (timeline.covers_from <= sequence) return true;
        if (!(await loadOlder(id))) return false;
      }
      return false;
    },
    /** Load a quoted message that the loaded history does not contain, once. */
    async loadQuote(messageId) {
      if (quotesAsked.has(messageId)) return;
      quotesAsked.add(messageId);
      try {
        store.dispatch({ type: "quote_loaded", id: messageId, message: await api.message(messageId) });
      } catch (error) {
        if (error.temporary) quotesAsked.delete(messageId);
        else store.dispatch({ type: "quote_loaded", id: messageId, message: null });
      }
    },
  };
}
