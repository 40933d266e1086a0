/** Web Push of a browser: permission is requested only on demand, and the server knows every active subscription. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createPush } from "../../static/js/push.js";
import { FakeStorage } from "./fakes.mjs";
import { FakeBrowser, FakeDeviceApi, KEY, OTHER_KEY } from "./push_fakes.mjs";

function begin({ browser = {}, api = {}, storage = new FakeStorage() } = {}) {
  const surroundings = new FakeBrowser(browser);
  const server = new FakeDeviceApi(api);
  return { surroundings, server, storage, push: createPush({ api: server, storage, surroundings }) };
}

async function turnedOn(options) {
  const begun = begin(options);
  await begun.push.turnOn();
  return begun;
}

test("the states: unsupported, blocked, not set up, off, on", async () => {
  for (const missing of ["PushManager", "Notification"]) {
    const { surroundings, push } = begin();
    delete surroundings[missing];
    assert.equal(await push.state(), "unsupported");
  }
  const insecure = begin();
  delete insecure.surroundings.navigator.serviceWorker;
  assert.equal(await createPush({ api: insecure.server, storage: insecure.storage, surroundings: insecure.surroundings }).state(), "unsupported");
  assert.equal(await begin({ browser: { permission: "denied" } }).push.state(), "blocked");
  assert.equal(await begin({ api: { key: null } }).push.state(), "not_set_up");
  const { push } = begin();
  assert.equal(await push.state(), "off");
  await push.turnOn();
  assert.equal(await push.state(), "on");
});

test("a server that does not answer is an error, not a state", async () => {
  const { server, push } = begin();
  server.failure = new Error("The server cannot be reached.");
  await assert.rejects(push.state(), /cannot be reached/);
});

test("before the button is pressed no permission is requested and no worker registered", async () => {
  const { surroundings, server, push } = begin();
  await push.restore();
  await push.state();
  assert.equal(surroundings.asked, 0);
  assert.equal(surroundings.registered, undefined);
  assert.equal(server.registrations, 0);
});

test("turning it on sends the server the endpoint and its keys", async () => {
  const { surroundings, server } = await turnedOn();
  assert.equal(surroundings.asked, 1);
  assert.deepEqual(surroundings.registered.address, "/service-worker.js");
  assert.equal(surroundings.registered.options.type, "module");
  const { endpoint } = surroundings.subscription;
  assert.deepEqual([...server.devices.values()], [{ device_token: endpoint, platform: "web", keys: { p256dh: "p", auth: "a" } }]);
});

test("each refusal has its message: blocked, not answered, not set up, no push service", async () => {
  await assert.rejects(begin({ browser: { answer: "denied" } }).push.turnOn(), /blocks notifications/);
  await assert.rejects(begin({ browser: { answer: "default" } }).push.turnOn(), /not answered/);
  await assert.rejects(begin({ api: { key: null } }).push.turnOn(), /not set up/);
  const { surroundings, push } = begin();
  surroundings.kept.pushManager.failure = Object.assign(new Error("x"), { name: "AbortError" });
  await assert.rejects(push.turnOn(), /push service does not answer/);
});

test("a refusal of the server leaves it off", async () => {
  const { surroundings, server, push, storage } = begin();
  await push.state();
  server.failure = new Error("Not now.");
  await assert.rejects(push.turnOn(), /Not now/);
  assert.equal(surroundings.subscription, null);
  assert.equal(storage.length, 0);
  server.failure = null;
  assert.equal(await push.state(), "off");
});

test("each start registers at the server once, after a failure at the next connection", async () => {
  const { surroundings, server, storage } = await turnedOn();
  const later = createPush({ api: server, storage, surroundings });
  server.failure = new Error("away");
  await later.restore();
  assert.equal(server.registrations, 1);
  server.failure = null;
  await later.restore();
  await later.restore();
  assert.equal(server.registrations, 2);
  await later.restore({ again: true });
  assert.equal(server.registrations, 3);
  assert.equal(surroundings.asked, 1);
});

test("a new key of the server makes a new subscription without a permission request", async () => {
  const { surroundings, server, storage } = await turnedOn();
  const before = surroundings.subscription.endpoint;
  server.key = OTHER_KEY;
  await createPush({ api: server, storage, surroundings }).restore();
  assert.notEqual(surroundings.subscription.endpoint, before);
  server.key = KEY;
  assert.equal(surroundings.asked, 1);
});

test("somebody else's subscription ends when another user signs in", async () => {
  const { surroundings, server } = await turnedOn();
  await surroundings.kept.showNotification("to the other one", { tag: "x" });
  await createPush({ api: server, storage: new FakeStorage(), surroundings }).restore();
  assert.equal(surroundings.subscription, null);
  assert.equal(surroundings.registration, undefined);
  assert.deepEqual(surroundings.kept.shown, []);
  assert.equal(server.registrations, 1);
});

test("turning it off ends the subscription, also if the server is away", async () => {
  for (const failure of [null, new Error("away")]) {
    const { surroundings, server, push, storage } = await turnedOn();
    server.failure = failure;
    await push.turnOff();
    assert.equal(server.devices.size, failure ? 1 : 0);
    assert.equal(surroundings.subscription, null);
    assert.equal(storage.length, 0);
  }
});

test("after a failed sign-out it registers again", async () => {
  const { server, push } = await turnedOn();
  await push.release();
  assert.equal(server.devices.size, 0);
  await push.restore();
  assert.equal(server.devices.size, 1);
});

test("a push service that hangs does not block the sign-out", async () => {
  const { surroundings, push } = await turnedOn();
  surroundings.subscription.unsubscribe = () => new Promise(() => {});
  surroundings.setTimeout = (call) => setTimeout(call, 5);
  const hanging = createPush({ api: new FakeDeviceApi(), storage: new FakeStorage(), surroundings });
  await hanging.leave();
  assert.ok(push);
});
