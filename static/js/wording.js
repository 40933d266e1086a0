/**
 * Texts of the client: times, days, presence, typing, system messages, previews.
 *
 * Lives here: pure functions from state to text. Does not live here: markup (views/).
 */

const TIME = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const WEEKDAY = new Intl.DateTimeFormat("en", { weekday: "long" });
const SHORT_WEEKDAY = new Intl.DateTimeFormat("en", { weekday: "short" });
const DAY = new Intl.DateTimeFormat("en", { day: "numeric", month: "long" });
const DAY_OF_YEAR = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const SHORT_DAY = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "short" });
const LIST = new Intl.ListFormat("en");
const DAY_MS = 86_400_000;

const PRESENCE = { online: "online", idle: "online, idle", away: "away", busy: "do not disturb", offline: "offline", invisible: "invisible" };

function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

/** Return the number of calendar days between a time and now: 0 for today. */
function daysAgo(date, now) {
  return Math.round((startOfDay(now) - startOfDay(date)) / DAY_MS);
}

/** Return a key that is equal for two times on the same local day. */
export function dayKey(iso) {
  const date = new Date(iso);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

export const clockTime = (iso) => TIME.format(new Date(iso));
export const fullTime = (iso) => FULL.format(new Date(iso));

/** Return the heading of a day: Today, Yesterday, a weekday, or a date. */
export function dayHeading(iso, now = new Date()) {
  const date = new Date(iso);
  const days = daysAgo(date, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days > 1 && days < 7) return WEEKDAY.format(date);
  return (date.getFullYear() === now.getFullYear() ? DAY : DAY_OF_YEAR).format(date);
}

/** Return the short time of the conversation list. */
export function shortTime(iso, now = new Date()) {
  const date = new Date(iso);
  const days = daysAgo(date, now);
  if (days <= 0) return TIME.format(date);
  if (days === 1) return "Yesterday";
  return (days < 7 ? SHORT_WEEKDAY : SHORT_DAY).format(date);
}

/** Return the line that says until when a conversation is muted. */
export function mutedLine(until, now = new Date()) {
  const date = new Date(until);
  if (date.getFullYear() > now.getFullYear() + 10) return "Muted until you unmute it";
  if (daysAgo(date, now) === 0) return `Muted until ${TIME.format(date)}`;
  return `Muted until ${(date.getFullYear() === now.getFullYear() ? DAY : DAY_OF_YEAR).format(date)}, ${TIME.format(date)}`;
}

/** Return the line that says until when notifications are paused. */
export function pausedLine(until, now = new Date()) {
  const date = new Date(until);
  const days = -daysAgo(date, now);
  const day = days === 0 ? "" : days === 1 ? "tomorrow, " : `${(date.getFullYear() === now.getFullYear() ? DAY : DAY_OF_YEAR).format(date)}, `;
  return `Paused until ${day}${TIME.format(date)}`;
}

/** Return the name of a person; `you` for the viewer. */
export function nameOf(state, userId, you = "You", unknown = "Someone") {
  if (userId && userId === state.me.id) return you;
  const person = state.people[userId];
  return person?.display_name || person?.username || unknown;
}

const firstName = (name) => name.split(/\s+/)[0];

/** Return the line under a person's name, or "" if nothing is known. */
export function presenceLine(presence, now = new Date()) {
  if (!presence) return "";
  if (presence.status === "offline" && presence.last_seen) {
    const seen = new Date(presence.last_seen);
    if (now - seen < 60_000) return "last seen just now";
    if (now - seen < 3_600_000) return `last seen ${Math.floor((now - seen) / 60_000)} min ago`;
    const days = daysAgo(seen, now);
    if (days === 0) return `last seen at ${TIME.format(seen)}`;
    if (days === 1) return `last seen yesterday at ${TIME.format(seen)}`;
    return `last seen ${SHORT_DAY.format(seen)}`;
  }
  const line = PRESENCE[presence.status] ?? presence.status;
  return presence.activity && typeof presence.activity === "string" ? `${line} · ${presence.activity}` : line;
}

/** Return who is typing in a conversation, or "". */
export function typingLine(state, conversation) {
  const ids = Object.keys(state.typing[conversation.id] ?? {});
  if (ids.length === 0) return "";
  if (conversation.type === "direct") return "typing";
  const names = ids.map((id) => firstName(nameOf(state, id)));
  if (names.length > 2) return `${names.length} people are typing`;
  return `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing`;
}

/** Return the text of a system message; the server sends only the event. */
export function systemText(state, message) {
  const { event, actor_user_id: actorId, user_ids: userIds = [], name, role } = message.metadata ?? {};
  const actor = nameOf(state, actorId);
  const others = LIST.format(userIds.map((id) => nameOf(state, id, "you")));
  const texts = {
    group_created: `${actor} created the group${name ? ` “${name}”` : ""}`,
    participants_added: `${actor} added ${others}`,
    participant_removed: `${actor} removed ${others}`,
    participant_left: `${nameOf(state, userIds[0] ?? actorId)} left the group`,
    conversation_renamed: name ? `${actor} renamed the group to “${name}”` : `${actor} removed the group’s name`,
    role_changed: role ? `${actor} made ${others} ${role === "member" ? "a member" : role === "owner" ? "the owner" : "an admin"}` : `${actor} changed the role of ${others}`,
  };
  return texts[event] ?? "The group was changed";
}

/** Return the line for a message in a list or a quotation. */
export function messageLine(state, message) {
  if (message.deleted_at) return "Message deleted";
  if (message.message_type === "system") return systemText(state, message);
  if (message.message_type === "location") return `📍 ${message.metadata?.label || "Location"}`;
  return message.content.replace(/\s+/g, " ").trim();
}

/** Return the second line of a conversation in the list. */
export function previewLine(state, conversation) {
  const message = conversation.last_message;
  if (!message) return "No messages yet";
  const line = messageLine(state, message);
  if (message.message_type === "system") return line;
  if (message.sender_user_id === state.me.id) return `You: ${line}`;
  if (conversation.type === "direct") return line;
  return `${firstName(nameOf(state, message.sender_user_id))}: ${line}`;
}

const NOTICES = {
  mention: (who, where) => `${who} mentioned you${where && ` in ${where}`}`,
  reply: (who, where) => `${who} replied to you${where && ` in ${where}`}`,
  added: (who, where) => `${who} added you to ${where || "a conversation"}`,
};

/** Return the text of a notification; for an unknown kind only the conversation. */
export function notificationLine(state, { kind, actor_user_id: actorId, conversation_id: id }) {
  const conversation = state.conversations[id];
  // A direct conversation has the other person's name, which would be there twice.
  const where = conversation && (conversation.type !== "direct" || kind === "added") ? conversation.display_name : "";
  return (NOTICES[kind] ?? ((_, place) => `Something happened in ${place || "a conversation"}`))(nameOf(state, actorId, "You", "Somebody"), where);
}

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
