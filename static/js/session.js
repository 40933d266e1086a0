/**
 * The user who is signed in on this browser, as far as scripts can know.
 *
 * The session cookie is HttpOnly. Stored here are only the profile to show before the server has
 * answered, and the owner of the data in local storage. Lives here: these two keys, drafts, and
 * wiping. Does not live here: the sign-in itself (views/sign_in.js).
 */
import { wipeCache } from "./cache.js";

const ME = "chatsite.me";
const OWNER = "chatsite.owner";
const DRAFT = "chatsite.draft.";

/** Return the user who is signed in, or null. */
export function currentUser() {
  return JSON.parse(localStorage.getItem(ME) ?? "null");
}

/** Record a user as signed in; data of another user is wiped first. */
export async function beginSession({ id, username, display_name, about, avatar_url }) {
  if (localStorage.getItem(OWNER) !== id) await wipeEverything();
  localStorage.setItem(OWNER, id);
  localStorage.setItem(ME, JSON.stringify({ id, username, display_name, about, avatar_url }));
}

/** End the session; unsent messages stay, because their author may sign in again. */
export function endSession() {
  localStorage.removeItem(ME);
}

/** Remove all local data: sign-out, remote sign-out, or another user. */
export async function wipeEverything() {
  const keys = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index));
  for (const key of keys) {
    if (key.startsWith("chatsite.")) localStorage.removeItem(key);
  }
  await wipeCache();
}

/** Return the draft of a conversation. */
export function readDraft(conversationId) {
  return localStorage.getItem(DRAFT + conversationId) ?? "";
}

/** Store the draft of a conversation. */
export function writeDraft(conversationId, text) {
  if (text.trim() === "") localStorage.removeItem(DRAFT + conversationId);
  else localStorage.setItem(DRAFT + conversationId, text);
}
