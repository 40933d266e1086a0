/** The replica: the order of list, live frames and sync, and the effect of each answer. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { summariseHeads } from "../../static/js/checksum.js";
import { createReplica } from "../../static/js/replica.js";
import { initialState, reduce } from "../../static/js/state/reducer.js";
import { createStore } from "../../static/js/store.js";
import { ANA, BEN, OTHER_ROOM, ROOM, conversation, newMessage } from "./builders.mjs";
import { FakeSurroundings } from "./fakes.mjs";

/** An API whose requests wait until the test answers them. */
class SlowApi {
  waiting = [];
  #ask(name, ...details) {
    return new Promise((resolve, reject) => this.waiting.push({ name, details, resolve, reject }));
  }
  conversations = (cursor) => this.#ask("conversations", cursor);
  conversation = (id) => this.#ask("conversation", id);
  events = (id, after) => this.#ask("events", id, after);

  async #next(name) {
    for (let round = 0; round < 20 && !this.waiting.some((one) => one.name === name); round += 1) {
      await Promise.resolve();
    }
    const index = this.waiting.findIndex((one) => one.name === name);
    assert.ok(index >= 0, `nobody asked for ${name}`);
    return this.waiting.splice(index, 1)[0];
  }
  async answers(name, answer) {
    const { details, resolve } = await this.#next(name);
    resolve(answer);
    await rest();
    return details;
  }
  async refuses(name, status) {
    const { reject } = await this.#next(name);
    reject(Object.assign(new Error(String(status)), { status }));
    await rest();
  }
}

async function rest() {
  for (let round = 0; round < 10; round += 1) await Promise.resolve();
}

function begin() {
  const surroundings = new FakeSurroundings();
  const store = createStore(reduce, initialState());
  store.dispatch({ type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } });
  const connection = { sent: [], send: (frame) => connection.sent.push(frame) > 0 };
  const api = new SlowApi();
  const replica = createReplica({ store, connection, api, surroundings });
  const receives = (frame) => {
    store.dispatch({ type: "frame_received", frame, now: surroundings.now() });
    replica.frameReceived(frame);
  };
  const connects = (more = {}) => {
    replica.linkChanged("connected");
    receives({ type: "connected", user_id: ANA, server_time: "T0", ...more });
  };
  const completesSync = (heads, more = {}) =>
    receives({ type: "sync_complete", id: connection.sent.at(-1).id, heads, resync: [], server_time: "T1", ...more });
  return { surroundings, store, connection, api, replica, receives, connects, completesSync };
}

test("the list is loaded first, then sync with its cursors and the time of connecting", async () => {
  const { store, connection, api, connects, completesSync } = begin();
  connects();
  await api.answers("conversations", { results: [conversation({ last_sequence: 4 })], next: "more" });
  const [cursor] = await api.answers("conversations", { results: [conversation({ id: OTHER_ROOM })], next: null });
  assert.equal(cursor, "more");
  const [sync] = connection.sent;
  assert.deepEqual(sync.cursors, { [ROOM]: 4, [OTHER_ROOM]: 0 });
  assert.equal(sync.since, "T0");
  assert.equal(store.state.link, "updating");
  completesSync({ [ROOM]: 4, [OTHER_ROOM]: 0 });
  assert.equal(store.state.link, "online");
  assert.equal(store.state.since, "T1");
});

test("a live event during the load of the list is neither lost nor doubled", async () => {
  const { store, api, connects, receives, connection, completesSync } = begin();
  connects();
  receives(newMessage(5, BEN));
  await api.answers("conversations", { results: [conversation({ last_sequence: 4 })], next: null });
  await api.answers("conversation", conversation({ last_sequence: 5, unread_count: 1 }));
  assert.deepEqual(connection.sent[0].cursors, { [ROOM]: 5 });
  receives(newMessage(6, BEN));
  completesSync({ [ROOM]: 6 });
  assert.equal(store.state.conversations[ROOM].last_sequence, 6);
  assert.equal(store.state.conversations[ROOM].unread_count, 2);
});

test("a cut during the load of the list restarts it", async () => {
  const { store, api, connects, replica, connection } = begin();
  connects();
  replica.linkChanged("waiting");
  await api.answers("conversations", { results: [conversation()], next: null });
  assert.equal(store.state.complete, false);
  assert.equal(connection.sent.length, 0);
  connects();
  await api.answers("conversations", { results: [conversation()], next: null });
  assert.equal(store.state.complete, true);
  assert.equal(connection.sent.length, 1);
});

async function online() {
  const parts = begin();
  parts.connects();
  await parts.api.answers("conversations", { results: [conversation({ last_sequence: 2 })], next: null });
  parts.completesSync({ [ROOM]: 2 });
  return parts;
}

test("a reconnected client syncs without loading the list", async () => {
  const { connection, connects, replica, api } = await online();
  replica.linkChanged("waiting");
  connects();
  await rest();
  assert.deepEqual(connection.sent.at(-1).cursors, { [ROOM]: 2 });
  assert.equal(connection.sent.at(-1).since, "T1");
  assert.equal(api.waiting.length, 0);
});

test("a gap is filled page by page, and 410 loads the conversation", async () => {
  const { api, store, receives } = await online();
  receives(newMessage(6, BEN));
  const [id, after] = await api.answers("events", { events: [newMessage(3, BEN)], has_more: true });
  assert.deepEqual([id, after], [ROOM, 2]);
  await api.refuses("events", 410);
  await api.answers("conversation", conversation({ last_sequence: 5 }));
  assert.equal(store.state.conversations[ROOM].last_sequence, 6);
  assert.deepEqual(store.state.repairs, {});
});

test("a conversation that is not found ends its repair", async () => {
  const { api, store, receives } = await online();
  receives(newMessage(1, BEN, { conversation_id: OTHER_ROOM }));
  await api.refuses("conversation", 404);
  assert.deepEqual(store.state.repairs, {});
});

test("a pong with another digest of heads starts a sync", async () => {
  const { connection, receives } = await online();
  const before = connection.sent.length;
  receives({ type: "pong", heads: summariseHeads([[ROOM, 2]]) });
  assert.equal(connection.sent.length, before);
  receives({ type: "pong", heads: summariseHeads([[ROOM, 3]]) });
  assert.equal(connection.sent.at(-1).type, "sync");
});

test("an unanswered sync is sent again after half a minute", async () => {
  const { connection, receives, surroundings } = await online();
  receives({ type: "pong", heads: { count: 9, checksum: 9 } });
  const unanswered = connection.sent.length;
  surroundings.pass(31_000);
  receives({ type: "pong", heads: { count: 9, checksum: 9 } });
  assert.equal(connection.sent.length, unanswered + 1);
});

test("many conversations are synced in several frames", async () => {
  const { store, connection, api, connects, completesSync } = begin();
  connects();
  const many = Array.from({ length: 2_300 }, (_, number) => conversation({ id: `room-${number}` }));
  await api.answers("conversations", { results: many, next: null });
  const heads = Object.fromEntries(many.map((one) => [one.id, 0]));
  for (const [round, size] of [1_000, 1_000, 300].entries()) {
    assert.equal(Object.keys(connection.sent[round].cursors).length, size);
    assert.equal(store.state.link, "updating");
    completesSync(heads, { server_time: `T${round + 1}` });
  }
  assert.equal(store.state.link, "online");
  assert.equal(store.state.since, "T1");
});

async function onlineIn(epoch) {
  const parts = begin();
  parts.connects({ epoch });
  await parts.api.answers("conversations", { results: [conversation({ last_sequence: 5 })], next: null });
  parts.completesSync({ [ROOM]: 5 }, { epoch });
  return parts;
}

test("cursors are sent with the epoch of their log", async () => {
  const { connection, replica, connects, api } = await onlineIn("E1");
  replica.linkChanged("waiting");
  connects({ epoch: "E1" });
  assert.deepEqual(connection.sent.map((frame) => frame.epoch), ["E1", "E1"]);
  assert.equal(api.waiting.length, 0);
});

test("another epoch drops and reloads everything", async () => {
  const { connection, store, replica, connects, api, completesSync } = await onlineIn("E1");
  replica.linkChanged("waiting");
  connects({ epoch: "E2", server_time: "T7" });
  assert.deepEqual(store.state.conversations, {});
  assert.equal(connection.sent.length, 1);
  await api.answers("conversations", { results: [conversation({ last_sequence: 9 })], next: null });
  const sync = connection.sent.at(-1);
  assert.deepEqual([sync.cursors, sync.epoch, sync.since], [{ [ROOM]: 9 }, "E2", "T7"]);
  completesSync({ [ROOM]: 9 }, { epoch: "E2" });
  assert.equal(store.state.link, "online");
});

test("sync notices an epoch that began after the socket was opened", async () => {
  const { connection, store, receives, api, completesSync } = await onlineIn("E1");
  receives({ type: "pong", heads: summariseHeads([[ROOM, 7]]) });
  completesSync({ [ROOM]: 7 }, { epoch: "E2", server_time: "T7", resync: [ROOM] });
  assert.deepEqual(store.state.conversations, {});
  await api.answers("conversations", { results: [conversation({ last_sequence: 7 })], next: null });
  const sync = connection.sent.at(-1);
  assert.deepEqual([sync.cursors, sync.epoch, sync.since], [{ [ROOM]: 7 }, "E2", "T7"]);
});

test("an answer from the former epoch is ignored", async () => {
  const { store, replica, receives, connects, api } = await onlineIn("E1");
  receives(newMessage(9, BEN));
  replica.linkChanged("waiting");
  connects({ epoch: "E2" });
  await api.answers("events", { events: [newMessage(6, BEN)], has_more: false });
  assert.deepEqual(store.state.conversations, {});
});

test("a server without epochs gets none, and nothing is dropped", async () => {
  const { connection, store, replica, connects, completesSync } = await onlineIn("E1");
  replica.linkChanged("waiting");
  connects();
  assert.equal(connection.sent.at(-1).epoch, undefined);
  completesSync({ [ROOM]: 5 });
  assert.equal(store.state.conversations[ROOM].last_sequence, 5);
  assert.equal(store.state.epoch, "E1");
});

test("a cache without an epoch belongs to the current one", async () => {
  const { connection, store, replica, connects } = await online();
  replica.linkChanged("waiting");
  connects({ epoch: "E1" });
  assert.deepEqual([connection.sent.at(-1).cursors, connection.sent.at(-1).epoch], [{ [ROOM]: 2 }, "E1"]);
  assert.equal(store.state.epoch, "E1");
});
