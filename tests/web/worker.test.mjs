/** The service worker: its handling of any push, of clicks, and its messages to windows. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { addressOf, decide, readPayload, windowToFocus } from "../../static/js/worker/decisions.js";
import { createEvents } from "../../static/js/worker/events.js";
import { OTHER_ROOM, ROOM } from "./builders.mjs";
import { CHROMIUM, FakeWindow, FakeWorkerScope, KEY, OTHER_KEY, SAFARI } from "./push_fakes.mjs";

const payload = (changes = {}) => ({ kind: "message", conversation_id: ROOM, message_id: ROOM, sequence: "7", badge: "3", ...changes });
const pushed = (content) => ({ text: () => (typeof content === "string" ? content : JSON.stringify(content)) });
const nowhere = { held: [], showing: null, userAgent: CHROMIUM };

test("a push without a text is shown as a new message", () => {
  const { show, badge } = decide(readPayload(JSON.stringify(payload())), nowhere);
  assert.equal(show.title, "New message");
  assert.deepEqual(show.options.data, { conversation_id: ROOM, message_id: ROOM, sequence: 7 });
  assert.equal(badge, 3);
});

test("a push with a text shows it, and a test push is shown as a test", () => {
  const { show } = decide(readPayload(JSON.stringify(payload({ title: "Ana", body: "hello" }))), nowhere);
  assert.deepEqual([show.title, show.options.body], ["Ana", "hello"]);
  assert.equal(decide(readPayload('{"kind": "test"}'), nowhere).show.title, "Chatsite: test");
});

test("an unreadable push is shown as a new message, and opens the start page", () => {
  for (const raw of ["", "{", "null", "5", "[]", '"text"', '{"kind": 1, "title": {}, "badge": "many", "conversation_id": "../admin"}']) {
    const { show, badge } = decide(readPayload(raw), nowhere);
    assert.equal(show.title, "New message", raw);
    assert.equal(badge, null);
    assert.equal(addressOf(show.options.data), "/");
  }
});

test("a conversation has one notification, and a new push alerts again", () => {
  const of = (id) => decide(readPayload(JSON.stringify(payload({ conversation_id: id }))), nowhere).show.options;
  assert.equal(of(ROOM).tag, of(ROOM).tag);
  assert.notEqual(of(ROOM).tag, of(OTHER_ROOM).tag);
  assert.equal(of(ROOM).renotify, true);
});

test("a visible conversation gets no notification, except in Safari", () => {
  const given = readPayload(JSON.stringify(payload()));
  assert.equal(decide(given, { ...nowhere, showing: ROOM }).show, null);
  assert.notEqual(decide(given, { ...nowhere, showing: OTHER_ROOM }).show, null);
  assert.notEqual(decide(given, { ...nowhere, showing: ROOM, userAgent: SAFARI }).show, null);
});

test("a click chooses the focused or visible window, and never the admin", () => {
  const admin = { url: "https://chat.test/admin/", focused: true, visibilityState: "visible" };
  const hidden = { url: "https://chat.test/#/c/1", focused: false, visibilityState: "hidden" };
  const seen = { ...hidden, visibilityState: "visible" };
  const focused = { ...seen, focused: true };
  assert.equal(windowToFocus([admin, hidden, seen, focused]), focused);
  assert.equal(windowToFocus([admin, hidden, seen]), seen);
  assert.equal(windowToFocus([admin, hidden]), hidden);
  assert.equal(windowToFocus([admin]), null);
});

test("a newer push replaces an older one, and a late old one does not", async () => {
  const scope = new FakeWorkerScope();
  const { push } = createEvents(scope);
  await push(pushed(payload({ sequence: "7", title: "seven" })));
  await push(pushed(payload({ sequence: "8", title: "eight" })));
  await push(pushed(payload({ sequence: "6", title: "six" })));
  assert.deepEqual(scope.titles(), ["eight"]);
  assert.equal(scope.shown[0].options.silent, true);
  assert.equal(scope.showings, 3);
});

test("a sync closes the notification of its conversation, and shows none where the browser allows that", async () => {
  for (const userAgent of [CHROMIUM, SAFARI]) {
    const scope = new FakeWorkerScope({ userAgent });
    const { push } = createEvents(scope);
    await push(pushed(payload({ title: "read elsewhere" })));
    await push(pushed(payload({ conversation_id: OTHER_ROOM, title: "stays" })));
    await push(pushed(payload({ kind: "sync", sequence: "7", badge: "0" })));
    assert.deepEqual(scope.titles(), ["stays"]);
    assert.equal(scope.showings, userAgent === SAFARI ? 3 : 2);
    assert.equal(scope.badge, 0);
  }
});

test("a sync keeps later notifications, and one without a sequence closes all of them", async () => {
  const scope = new FakeWorkerScope();
  const { push } = createEvents(scope);
  await push(pushed(payload({ sequence: "9" })));
  await push(pushed(payload({ kind: "sync", sequence: "8" })));
  assert.equal(scope.shown.length, 1);
  await push(pushed(payload({ kind: "sync", sequence: undefined })));
  assert.equal(scope.shown.length, 0);
});

test("simultaneous pushes are handled one by one: a late old one does not replace the newer", async () => {
  const scope = new FakeWorkerScope();
  const { push } = createEvents(scope);
  await Promise.all([
    push(pushed(payload({ sequence: "8", title: "eight" }))),
    push(pushed(payload({ sequence: "6", title: "six" }))),
  ]);
  assert.deepEqual(scope.titles(), ["eight"]);
});

test("a push never fails, whatever its content and the failures of windows, badges and permissions", async () => {
  const broken = new FakeWorkerScope();
  broken.clients.matchAll = broken.navigator.setAppBadge = () => Promise.reject(new Error("no"));
  const { push } = createEvents(broken);
  await push(pushed(payload()));
  await push(null);
  await push({ text: () => { throw new Error("not text"); } });
  assert.equal(broken.showings, 3);
  broken.registration.showNotification = () => Promise.reject(new TypeError("no permission"));
  await push(pushed(payload()));
});

test("the focused window is asked what it shows, and may leave that unanswered", async () => {
  const scope = new FakeWorkerScope();
  scope.windows = [new FakeWindow({ focused: false, showing: ROOM })];
  const { push } = createEvents(scope);
  await push(pushed(payload()));
  assert.equal(scope.showings, 1);
  scope.windows = [new FakeWindow({ focused: true, showing: ROOM })];
  await push(pushed(payload()));
  assert.equal(scope.showings, 1);
  const silent = new FakeWindow({ focused: true, showing: undefined });
  scope.windows = [silent];
  const shown = push(pushed(payload()));
  await silent.asked;
  assert.equal(scope.showings, 1);
  scope.timeOut();
  await shown;
  assert.equal(scope.showings, 2);
});

test("a click opens the conversation in an existing window, or in a new one", async () => {
  const scope = new FakeWorkerScope();
  const { click } = createEvents(scope);
  const notification = { data: { conversation_id: ROOM }, close() { this.closed = true; } };
  await click(notification);
  assert.deepEqual(scope.opened, [`/#/c/${ROOM}`]);
  assert.equal(notification.closed, true);
  const window = new FakeWindow({ focused: false });
  scope.windows = [window];
  await click(notification);
  assert.deepEqual(window.told, [{ type: "open", conversation_id: ROOM }]);
  assert.equal(window.focused, true);
  assert.equal(scope.opened.length, 1);
});

test("a read in a page closes the notification and sets the badge", async () => {
  const scope = new FakeWorkerScope();
  const { push, told } = createEvents(scope);
  await push(pushed(payload({ sequence: "7" })));
  await told({ type: "read", reads: { [ROOM]: 6 }, badge: 1 });
  assert.equal(scope.shown.length, 1);
  await told({ type: "read", reads: { [ROOM]: 7 }, badge: 0 });
  assert.equal(scope.shown.length, 0);
  assert.equal(scope.badge, 0);
  for (const nonsense of [undefined, null, "text", { type: "other" }, { type: "read" }]) await told(nonsense);
});

test("an ended subscription is renewed and sent to the server with the CSRF token", async () => {
  const scope = new FakeWorkerScope({ csrf: "secret" });
  await createEvents(scope).renew({ newSubscription: null });
  const [asked, sent] = scope.requests;
  assert.equal(asked.address, "/api/v1/notifications/vapid-key");
  assert.equal(sent.address, "/api/v1/device-tokens");
  assert.equal(sent.headers["X-CSRFToken"], "secret");
  assert.deepEqual(JSON.parse(sent.body), {
    device_token: "https://push.test/2",
    platform: "web",
    keys: { p256dh: "p", auth: "a" },
  });
});

test("the new subscription of the browser is used, unless it has another key", async () => {
  for (const [key, endpoint] of [[KEY, "https://push.test/given"], [OTHER_KEY, "https://push.test/2"]]) {
    const scope = new FakeWorkerScope({ csrf: "secret" });
    await createEvents(scope).renew({ newSubscription: scope.registration.pushManager.make(key, "https://push.test/given") });
    assert.equal(JSON.parse(scope.requests[1].body).device_token, endpoint);
  }
});

test("without a CSRF token a page registers; without a signed-in person the subscription ends", async () => {
  const without = new FakeWorkerScope({ csrf: null });
  const window = new FakeWindow({});
  without.windows = [window];
  await createEvents(without).renew({});
  assert.deepEqual(window.told, [{ type: "register" }]);
  const signedOut = new FakeWorkerScope({ csrf: "secret", status: 401 });
  await createEvents(signedOut).renew({});
  assert.equal(await signedOut.registration.pushManager.getSubscription(), null);
  const notSetUp = new FakeWorkerScope({ csrf: "secret", key: null });
  await createEvents(notSetUp).renew({});
  assert.equal(notSetUp.requests.length, 1);
  const offline = new FakeWorkerScope({});
  offline.fetch = () => Promise.reject(new TypeError("no network"));
  await createEvents(offline).renew({});
});
