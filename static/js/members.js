/**
 * Everybody in a conversation: a body lists only the first fifty.
 *
 * Lives here: loading the rest, and keeping it for as long as nobody comes or goes. Does not live here: what is
 * shown of them.
 */

/** Load everybody, page by page. */
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
 * Create what knows the members of a conversation, as far as they have been loaded.
 * @param {{store: object, api: object}} app
 * @param {string} id
 */
export function createMembers({ store, api }, id) {
  let all = null;
  let countThen = 0;
  let loading = false;

  const conversation = () => store.state.conversations[id];

  return {
    /** Return those who are known now. */
    known: () => (all && countThen === conversation().participant_count ? all : conversation().participants),
    /** Load the others, if there are any; `onLoaded` is told when there are more than before. */
    async complete(onLoaded) {
      const { participant_count: count, participants } = conversation();
      if (loading || count <= participants.length || (all && countThen === count)) return;
      loading = true;
      try {
        all = await loadMembers(api, id);
        countThen = count;
        onLoaded();
      } catch {
        // The listed ones can be named; the next "@" tries again.
      } finally {
        loading = false;
      }
    },
  };
}
