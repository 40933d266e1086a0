/**
 * People as this client knows them: names, presence, and who is typing where.
 *
 * Lives here: these three maps as pure functions. Presence and typing are best effort and never
 * stored. Does not live here: my own typing and presence (typing.js, views/profile.js).
 */

/** A person counts as typing for this many milliseconds after their last typing frame. */
const TYPING_FORGOTTEN_MS = 10_000;

/** Return the map of people with these users or participants put in. */
export function putPeople(people, users) {
  let next = people;
  for (const user of users) {
    const id = user.id ?? user.user_id;
    const existing = next[id];
    const same =
      existing &&
      existing.username === user.username &&
      existing.display_name === user.display_name &&
      existing.avatar_url === user.avatar_url &&
      (user.about === undefined || existing.about === user.about);
    if (same) continue;
    const { username, display_name, avatar_url } = user;
    next = { ...next, [id]: { ...existing, id, username, display_name, avatar_url, about: user.about ?? existing?.about ?? "" } };
  }
  return next;
}

/** Return the presence map after a `presence` frame or a profile. */
export function putPresence(presence, userId, { status, activity, last_seen }) {
  return { ...presence, [userId]: { status, activity: activity ?? null, last_seen: last_seen ?? null } };
}

/** Return the typing map after a `typing` frame. */
export function putTyping(typing, { conversation_id, user_id, is_typing }, now) {
  const here = { ...typing[conversation_id] };
  if (is_typing) here[user_id] = now + TYPING_FORGOTTEN_MS;
  else delete here[user_id];
  return withTypists(typing, conversation_id, here);
}

/** Return the typing map without expired entries. */
export function forgetTypists(typing, now) {
  let next = typing;
  for (const [conversationId, here] of Object.entries(typing)) {
    const left = Object.entries(here).filter(([, until]) => until > now);
    if (left.length < Object.keys(here).length) {
      next = withTypists(next, conversationId, Object.fromEntries(left));
    }
  }
  return next;
}

/** Return the typing map without one person in one conversation. */
export function stopTyping(typing, conversationId, userId) {
  if (!typing[conversationId]?.[userId]) return typing;
  const { [userId]: _gone, ...left } = typing[conversationId];
  return withTypists(typing, conversationId, left);
}

function withTypists(typing, conversationId, here) {
  if (Object.keys(here).length > 0) return { ...typing, [conversationId]: here };
  if (!typing[conversationId]) return typing;
  const { [conversationId]: _gone, ...left } = typing;
  return left;
}
