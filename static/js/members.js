/**
 * All members of a conversation: a body lists only the first fifty.
 *
 * Lives here: loading the rest, and caching it until the number of members changes. Does not live here: how members
 * are shown.
 */

/** Load all members, page by page. */
export async function loadMembers(api, id) {
  const members = [];
  let cursor = null;
  do {
    const page = await api.participants(id, cursor);
    members.push(...page.results);
    cursor = page.next;
  } while (cursor);
  return members;
}

/**
 * Create the list of the members of a conversation that have been loaded.
 * @param {{store: object, api: object}} app
 * @param {string} id
 */
export function createMembers({ store, api }, id) {
  let all = null;
  let countThen = 0;
  let loading = false;

  const conversation = () => store.state.conversations[id];

  return {
    /** Return the members loaded so far. */
    known: () => (all && countThen === conversation().participant_count ? all : conversation().participants),
    /** Load the others, if there are any; `onLoaded` is called when there are more than before. */
    async complete(onLoaded) {
      const { participant_count: count, participants } = conversation();
      if (loading || count <= participants.length || (all && countThen === count)) return;
      loading = true;
      try {
        all = await loadMembers(api, id);
        countThen = count;
        onLoaded();
      } catch {
        // The listed members can be mentioned; the next "@" tries again.
      } finally {
        loading = false;
      }
    },
  };
}
