/**
 * The bell with the number of unread notifications, and the panel that it opens: who mentioned me,
 * replied to me, added me.
 *
 * Lives here: these two. Does not live here: loading (../notifications.js).
 */
import { isRead, unreadNotifications } from "../state/notifications.js";
import { fullTime, nameOf, notificationLine, shortTime } from "../wording.js";
import { avatar } from "./avatar.js";
import { openDialog } from "./dialog.js";
import { h, iconButton, reconcile, setText } from "./dom.js";
import { navigateTo, navigateToMessage } from "./navigation.js";
import { openNotificationSettings } from "./notification_settings.js";
import { reportFailure, showToast } from "./toast.js";

/** Create the bell; `draw` updates its number. */
export function createBell(app) {
  const number = h("span", { class: "bell-number", "aria-hidden": "true", hidden: true });
  const button = iconButton("bell", "Notifications", () => openNotifications(app), "bell");
  button.append(number);
  return {
    element: button,
    draw(state) {
      const unread = unreadNotifications(state);
      number.hidden = unread === 0;
      setText(number, unread > 99 ? "99+" : String(unread));
      const label = unread === 0 ? "Notifications" : `Notifications, ${unread} unread`;
      if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
    },
  };
}

/** Return the content of an entry as plain values: it is redrawn when one of them changes. */
function entryOf(state, item) {
  const person = state.people[item.actor_user_id];
  return {
    key: item.id,
    line: notificationLine(state, item),
    time: shortTime(item.created_at),
    read: isRead(state, item),
    name: nameOf(state, item.actor_user_id, "You", "Somebody"),
    url: person?.avatar_url ?? "",
    item,
  };
}

const sameEntry = (one, other) => ["line", "time", "read", "name", "url"].every((key) => one[key] === other[key]);

function fillEntry(element, entry, onOpen) {
  const { item } = entry;
  const focused = element.contains(document.activeElement);
  const button = h(
    "button",
    { type: "button", class: entry.read ? "person notification" : "person notification unread", on: { click: () => onOpen(item) } },
    avatar({ id: item.actor_user_id ?? "", name: entry.name, url: entry.url, size: "small" }),
    h(
      "span",
      { class: "person-words" },
      h("span", { class: "notification-line" }, !entry.read && h("span", { class: "visually-hidden" }, "Unread: "), entry.line),
      h("time", { class: "person-handle", datetime: item.created_at, title: fullTime(item.created_at) }, entry.time),
    ),
    h("span", { class: "notification-dot", "aria-hidden": "true" }),
  );
  element.replaceChildren(button);
  if (focused) button.focus();
}

function noteOf({ items, loaded, error }) {
  if (error) return `The notifications could not be loaded. ${error}`;
  if (!loaded) return "Loading…";
  return items.length === 0 ? "Nothing yet. Here you find who mentioned you, replied to you or added you to a group." : "";
}

/** Open the panel. */
export function openNotifications(app) {
  const { store, notifications } = app;
  const list = h("ul", { class: "people notifications", "aria-label": "Notifications" });
  const note = h("p", { class: "list-note", role: "status" });
  const again = h("button", { type: "button", class: "button", hidden: true, on: { click: () => notifications.refresh() } }, "Try again");
  const older = h("button", { type: "button", class: "button button-wide", hidden: true, on: { click: showOlder } }, "Show older");
  const markRead = h("button", { type: "button", class: "button button-primary", on: { click: markAllRead } }, "Mark all read");
  const settings = h("button", { type: "button", class: "button", on: { click: () => openNotificationSettings(app) } }, "Settings");
  const unsubscribe = store.subscribe((state, previous) => {
    const parts = ["notifications", "conversations", "people"];
    if (parts.some((part) => state[part] !== previous[part])) draw(state);
  });
  const dialog = openDialog(
    { title: "Notifications", className: "dialog-tall", onClose: unsubscribe },
    h("div", { class: "dialog-body" }, list, note, again, older),
    h("footer", { class: "dialog-footer" }, settings, markRead),
  );

  function open({ conversation_id: id, message_id: messageId, sequence }) {
    if (store.state.complete && !store.state.conversations[id]) {
      showToast("You are no longer in this conversation.");
      return;
    }
    dialog.close();
    if (messageId && Number.isInteger(sequence)) navigateToMessage(id, sequence);
    else navigateTo(id);
  }

  async function showOlder() {
    const before = store.state.notifications.items.length;
    older.disabled = true;
    await reportFailure(() => notifications.loadOlder());
    older.disabled = false;
    // The button may be gone; the focus goes to the first new entry.
    list.querySelectorAll("button")[before]?.focus();
  }

  async function markAllRead() {
    markRead.disabled = true;
    await reportFailure(() => notifications.markAllRead());
    draw(store.state);
  }

  function draw(state) {
    const listed = state.notifications;
    reconcile(
      list,
      listed.items.map((item) => entryOf(state, item)),
      (entry) => {
        const element = h("li", { dataset: { notificationId: entry.key } });
        fillEntry(element, entry, open);
        return element;
      },
      (element, entry, previous) => {
        if (!sameEntry(entry, previous)) fillEntry(element, entry, open);
      },
    );
    setText(note, noteOf(listed));
    note.hidden = note.textContent === "";
    again.hidden = !listed.error;
    older.hidden = !listed.next;
    markRead.disabled = unreadNotifications(state) === 0;
  }
  draw(store.state);
}
