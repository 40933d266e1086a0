/**
 * My own settings of a conversation: notification level, mute, pin, archive. Part of its details.
 *
 * Lives here: these controls. The server sends a change to all my devices; nobody else sees it.
 */
import { isMuted } from "../state/selectors.js";
import { mutedLine } from "../wording.js";
import { h, icon } from "./dom.js";
import { reportFailure } from "./toast.js";

const HOUR_MS = 3_600_000;
const MUTES = [
  ["For 1 hour", HOUR_MS],
  ["For 8 hours", 8 * HOUR_MS],
  ["For a week", 7 * 24 * HOUR_MS],
];
/** A mute without an end, as a date far in the future. */
const FOR_GOOD = "9999-01-01T00:00:00Z";

const LEVELS = [
  ["all", "All messages"],
  ["mentions", "Only mentions of me"],
  ["none", "Nothing"],
];

/** Make the choice of the notification level; if notifications are off for the group, say so instead. */
function level(conversation, set) {
  const current = conversation.me.notification_level;
  const options = LEVELS.map(([value, label]) => h("option", { value, selected: value === current }, label));
  const save = async ({ target }) => {
    if (!(await set({ notification_level: target.value }))) target.value = current;
  };
  const off = conversation.settings?.notifications_enabled === false;
  return h(
    "div",
    { class: "own-level" },
    h("label", { for: "notification-level" }, "Notify me of"),
    h("select", { id: "notification-level", class: "input", on: { change: save } }, ...options),
    off && h("span", { class: "details-line" }, "Notifications of this group are switched off for everybody."),
  );
}

/** Make this part of the details of a conversation. */
export function ownSettings(app, conversation) {
  const { id, me } = conversation;
  const set = (fields) => reportFailure(() => app.api.updateMySettings(id, fields));
  const later = (ms) => new Date(Date.now() + ms).toISOString();
  const muted = isMuted(conversation, Date.now());
  const toggle = (name, on, off, current) =>
    h(
      "button",
      { type: "button", class: "own-setting", on: { click: () => set({ [name]: !current }) } },
      icon(name === "pinned" ? "bookmark" : "archive"),
      current ? off : on,
    );
  const mute = (label, fields) => h("button", { type: "button", class: "own-setting", on: { click: () => set(fields()) } }, label);
  return h(
    "div",
    { class: "own-settings" },
    level(conversation, set),
    muted
      ? h(
          "div",
          { class: "own-muted" },
          h("span", {}, icon("muted"), ` ${mutedLine(me.muted_until)}`),
          mute("Unmute", () => ({ muted_until: null })),
        )
      : h(
          "details",
          { class: "own-mute" },
          h("summary", { class: "own-setting" }, icon("muted"), "Mute"),
          ...MUTES.map(([label, ms]) => mute(label, () => ({ muted_until: later(ms) }))),
          mute("Until I unmute it", () => ({ muted_until: FOR_GOOD })),
        ),
    toggle("pinned", "Pin to the top", "Unpin", me.pinned),
    toggle("archived", "Archive", "Take out of the archive", me.archived),
  );
}
