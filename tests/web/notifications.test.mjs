/** The list of notifications: pages, frames, read positions, and the messages to the device's tray. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createNotifications } from "../../static/js/notifications.js";
import { isRead, unreadNotifications } from "../../static/js/state/notifications.js";
import { initialState, reduce } from "../../static/js/state/reducer.js";
import { createStore } from "../../static/js/store.js";
import { createTray } from "../../static/js/tray.js";
import { notificationLine, pausedLine } from "../../static/js/wording.js";
import { ANA, BEN, CLEO, conversation, newMessage, participant, ROOM } from "./builders.mjs";
import { FakeSurroundings } from "./fakes.mjs";
import { FakeRegistration } from "./push_fakes.mjs";

const notification = (number, changes = {}) => ({
  id: `notification-${number}`,
  kind: "mention",
  conversation_id: ROOM,
  message_id: `message-${number}`,
  sequence: number,
  actor_user_id: BEN,
  created_at: `2026-01-01T00:00:${String(number).padStart(2, "0")}Z`,
  read_at: null,
  ...changes,
});
const page = (numbers, unread_count, next = null) => ({
  results: numbers.map((one) => notification(one)),
  next,
  unread_count,
});
const arrived = (number, unread_count, changes) => ({
  type: "notification",
  notification: notification(number, changes),
  unread_count,
});
const ids = (state) => state.notifications.items.map((item) => Number(item.id.split("-")[1]));
const settle = () => new Promise((resolve) => setImmediate(resolve));

function begin(answers = []) {
  const store = createStore(reduce, initialState());
  store.dispatch({ type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } });
  const body = conversation({ last_sequence: 9, unread_count: 9, participants: [participant(ANA), participant(BEN, { display_name: "Ben" })] });
  store.dispatch({ type: "page_loaded", conversations: [body] });
  store.dispatch({ type: "list_completed" });
  const surroundings = new FakeSurroundings();
  const asked = [];
  const api = {
    notifications: async (cursor) => {
      asked.push(cursor ?? null);
      const answer = await answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    },
    readNotifications: async (upTo) => void asked.push(`read ${upTo}`),
  };
  const notifications = createNotifications({ store, api, surroundings });
  const hears = (frame) => {
    store.dispatch({ type: "frame_received", frame, now: 0 });
    notifications.frameReceived(frame);
  };
  return { store, notifications, surroundings, asked, hears };
}

test("frames are listed once, newest first, and bring the unread count", () => {
  const { store, hears } = begin();
  for (const number of [3, 5, 4, 5]) hears(arrived(number, number));
  assert.deepEqual(ids(store.state), [5, 4, 3]);
  assert.equal(unreadNotifications(store.state), 5);
});

test("each connection loads the newest page, which replaces the list", async () => {
  const { store, hears } = begin([page([5, 4], 2, "older"), page([8, 7], 4, "older still")]);
  hears({ type: "connected" });
  await settle();
  hears({ type: "connected" });
  await settle();
  assert.deepEqual(ids(store.state), [8, 7]);
  assert.equal(store.state.notifications.next, "older still");
  assert.equal(unreadNotifications(store.state), 4);
});

test("a frame before the page stays, with its unread count", async () => {
  let answer;
  const { store, hears } = begin([new Promise((resolve) => (answer = resolve))]);
  hears({ type: "connected" });
  hears(arrived(6, 3));
  answer(page([5, 4], 2));
  await settle();
  assert.deepEqual(ids(store.state), [6, 5, 4]);
  assert.equal(unreadNotifications(store.state), 3);
});

test("an answer of an earlier connection is ignored", async () => {
  let answer;
  const { store, notifications, hears } = begin([new Promise((resolve) => (answer = resolve)), page([9], 1)]);
  hears({ type: "connected" });
  notifications.linkChanged("waiting");
  hears({ type: "connected" });
  await settle();
  answer(page([1], 1));
  await settle();
  assert.deepEqual(ids(store.state), [9]);
});

test("older pages are appended, and keep the unread count", async () => {
  const { store, notifications, hears, asked } = begin([page([5, 4], 4, "older"), page([4, 3, 2], 9)]);
  hears({ type: "connected" });
  await settle();
  await notifications.loadOlder();
  assert.deepEqual(asked, [null, "older"]);
  assert.deepEqual(ids(store.state), [5, 4, 3, 2]);
  assert.equal(unreadNotifications(store.state), 4);
  assert.equal(await notifications.loadOlder(), false);
});

test("a read in the conversation shows in the list at once, and the count is loaded again", async () => {
  const { store, hears, surroundings, asked } = begin([page([5, 4, 3], 3), page([5], 1)]);
  hears({ type: "connected" });
  await settle();
  store.dispatch({ type: "link_changed", link: "online" });
  store.dispatch({ type: "read_here", id: ROOM, sequence: 4 });
  assert.equal(unreadNotifications(store.state), 1);
  assert.deepEqual(store.state.notifications.items.map((item) => isRead(store.state, item)), [false, true, true]);
  surroundings.pass(3_001);
  await settle();
  assert.deepEqual(asked, [null, null]);
  assert.equal(unreadNotifications(store.state), 1);
});

test("a left conversation reloads the list, without its notifications", async () => {
  const { store, hears, surroundings, asked } = begin([page([5, 4], 2), page([], 0)]);
  hears({ type: "connected" });
  await settle();
  store.dispatch({ type: "link_changed", link: "online" });
  store.dispatch({ type: "conversation_missing", id: ROOM });
  surroundings.pass(3_001);
  await settle();
  assert.deepEqual(asked, [null, null]);
  assert.deepEqual(ids(store.state), []);
});

test("an unread count from after a read is not reduced by that read", async () => {
  const { store, hears } = begin([page([5, 4, 3], 3)]);
  hears({ type: "connected" });
  await settle();
  store.dispatch({ type: "read_here", id: ROOM, sequence: 5 });
  assert.equal(unreadNotifications(store.state), 0);
  hears(arrived(9, 1));
  assert.equal(unreadNotifications(store.state), 1);
});

test("notifications_read marks the list up to one notification", () => {
  const { store, hears } = begin();
  for (const number of [3, 4, 5]) hears(arrived(number, number - 2));
  hears({ type: "notifications_read", up_to: "notification-4", unread_count: 1 });
  assert.deepEqual(store.state.notifications.items.map((item) => isRead(store.state, item)), [false, true, true]);
  assert.equal(unreadNotifications(store.state), 1);
  hears({ type: "notifications_read", up_to: "notification-9", unread_count: 0 });
  assert.equal(unreadNotifications(store.state), 0);
  assert.ok(store.state.notifications.items.every((item) => isRead(store.state, item)));
});

test("mark all read sends the newest id, and leaves later notifications unread", async () => {
  const { store, hears, notifications, asked } = begin();
  for (const number of [3, 4]) hears(arrived(number, number - 2));
  const marking = notifications.markAllRead();
  hears(arrived(5, 3));
  await marking;
  assert.deepEqual(asked, ["read notification-4"]);
  assert.equal(unreadNotifications(store.state), 1);
  assert.equal(isRead(store.state, store.state.notifications.items[0]), false);
});

test("a failure is shown, and only a temporary one is retried", async () => {
  const away = Object.assign(new Error("away"), { temporary: true });
  const { store, hears, surroundings, asked } = begin([away, page([1], 1)]);
  hears({ type: "connected" });
  await settle();
  assert.equal(store.state.notifications.error, "away");
  surroundings.pass(5_000);
  await settle();
  assert.deepEqual(ids(store.state), [1]);
  assert.equal(store.state.notifications.error, null);
  const final = begin([Object.assign(new Error("no"), { temporary: false })]);
  final.hears({ type: "connected" });
  await settle();
  final.surroundings.pass(60_000);
  await settle();
  assert.deepEqual(final.asked, [null]);
  assert.equal(asked.length, 2);
});

test("a line names a known actor, and a conversation that has a name", () => {
  const { store } = begin();
  const line = (changes, state = store.state) => notificationLine(state, notification(1, changes));
  assert.equal(line({}), "Ben mentioned you in Room");
  assert.equal(line({ kind: "reply", actor_user_id: CLEO }), "Somebody replied to you in Room");
  assert.equal(line({ kind: "added" }), "Ben added you to Room");
  assert.equal(line({ kind: "added", conversation_id: "gone" }), "Ben added you to a conversation");
  assert.equal(line({ kind: "new kind" }), "Something happened in Room");
  const direct = { ...store.state, conversations: { [ROOM]: conversation({ type: "direct", display_name: "Ben" }) } };
  assert.equal(line({ kind: "reply" }, direct), "Ben replied to you");
});

test("the end of a pause is shown with its day", () => {
  const now = new Date(2026, 0, 1, 22, 0);
  assert.match(pausedLine(new Date(2026, 0, 1, 23, 0).toISOString(), now), /^Paused until \d/);
  assert.match(pausedLine(new Date(2026, 0, 2, 8, 0).toISOString(), now), /^Paused until tomorrow, /);
});

function withTray() {
  const begun = begin();
  const registration = new FakeRegistration();
  const container = { getRegistration: async () => registration };
  createTray({ store: begun.store, container, surroundings: begun.surroundings });
  const told = async () => {
    begun.surroundings.pass(300);
    await settle();
    return registration.active.told.splice(0);
  };
  return { ...begun, told, container };
}

test("the tray gets reads and unread count, combined", async () => {
  const { store, told } = withTray();
  store.dispatch({ type: "read_here", id: ROOM, sequence: 3 });
  store.dispatch({ type: "read_here", id: ROOM, sequence: 9 });
  assert.deepEqual(await told(), [{ type: "read", reads: { [ROOM]: 9 }, badge: 0 }]);
  store.dispatch({ type: "frame_received", frame: newMessage(10, BEN), now: 0 });
  assert.deepEqual(await told(), [{ type: "read", reads: {}, badge: 1 }]);
  assert.deepEqual(await told(), []);
});

test("a page that is online again sends the tray all read positions", async () => {
  const { store, told } = withTray();
  store.dispatch({ type: "link_changed", link: "online" });
  assert.deepEqual(await told(), [{ type: "read", reads: { [ROOM]: 0 }, badge: 9 }]);
});

test("without a worker the tray gets nothing, and nothing fails", async () => {
  const { store, told, container } = withTray();
  container.getRegistration = async () => undefined;
  store.dispatch({ type: "read_here", id: ROOM, sequence: 9 });
  assert.deepEqual(await told(), []);
  createTray({ store, container: undefined });
});
