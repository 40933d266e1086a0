/** The outbox: messages are stored before they are sent, sent in order, once, and never dropped silently. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createOutbox } from "../../static/js/outbox.js";
import { initialState, reduce } from "../../static/js/state/reducer.js";
import { createStore } from "../../static/js/store.js";
import { ANA, OTHER_ROOM, ROOM, conversation, newMessage } from "./builders.mjs";
import { FakeStorage, FakeSurroundings } from "./fakes.mjs";

function begin({ storage = new FakeStorage(), ready = true, sendMessage } = {}) {
  const surroundings = new FakeSurroundings();
  const store = createStore(reduce, initialState());
  store.dispatch({ type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } });
  store.dispatch({ type: "page_loaded", conversations: [conversation(), conversation({ id: OTHER_ROOM })] });
  const connection = {
    sent: [],
    ready,
    silent: false,
    send(frame) {
      if (!this.ready) return false;
      this.sent.push(frame);
      return true;
    },
  };
  const api = { calls: [], sendMessage: (fields) => (api.calls.push(fields), sendMessage(fields)) };
  const outbox = createOutbox({ store, connection, api, storage, surroundings });
  if (ready) outbox.linkChanged("connected");
  const frame = (body) => {
    store.dispatch({ type: "frame_received", frame: body, now: surroundings.now() });
    outbox.frameReceived(body);
  };
  return { surroundings, store, connection, api, storage, outbox, frame };
}

const ack = (entry, sequence) => ({
  type: "message_ack",
  client_message_id: entry.client_message_id,
  conversation_id: entry.conversation_id,
  sequence,
});
const sentTexts = (connection) => connection.sent.map((frame) => frame.content);

test("a message is in storage before it is on the socket", () => {
  const { connection, storage, outbox } = begin();
  let stored = null;
  const send = connection.send;
  connection.send = function (frame) {
    stored = storage.length;
    return send.call(this, frame);
  };
  outbox.compose({ conversation_id: ROOM, content: "hello" });
  assert.equal(stored, 1);
  assert.deepEqual(sentTexts(connection), ["hello"]);
});

test("mentions are sent with their message, and omitted without any", () => {
  const { connection, storage, outbox, frame } = begin();
  const mentions = [{ user_id: ANA, offset: 0, length: 4 }];
  const first = outbox.compose({ conversation_id: ROOM, content: "@Ana", mentions });
  assert.deepEqual(connection.sent[0].mentions, mentions);
  assert.deepEqual(JSON.parse(storage.getItem(storage.key(0))).mentions, mentions);
  frame(ack(first, 1));
  outbox.compose({ conversation_id: ROOM, content: "Ana" });
  assert.equal("mentions" in connection.sent[1], false);
});

test("messages of one conversation are sent one by one, conversations do not wait for each other", () => {
  const { connection, outbox, frame } = begin();
  const first = outbox.compose({ conversation_id: ROOM, content: "one" });
  outbox.compose({ conversation_id: ROOM, content: "two" });
  outbox.compose({ conversation_id: OTHER_ROOM, content: "elsewhere" });
  assert.deepEqual(sentTexts(connection), ["one", "elsewhere"]);
  frame(ack(first, 1));
  assert.deepEqual(sentTexts(connection), ["one", "elsewhere", "two"]);
});

test("an entry leaves storage with the acknowledgement, and the state with the event", () => {
  const { storage, outbox, store, frame } = begin();
  const entry = outbox.compose({ conversation_id: ROOM, content: "hello" });
  frame(ack(entry, 1));
  assert.equal(storage.length, 0);
  assert.equal(store.state.outbox[0].state, "sent");
  frame(newMessage(1, ANA, { client_message_id: entry.client_message_id }));
  assert.deepEqual(store.state.outbox, []);
});

test("the event alone confirms a message whose acknowledgement was lost", () => {
  const { storage, outbox, frame } = begin();
  const entry = outbox.compose({ conversation_id: ROOM, content: "hello" });
  frame(newMessage(1, ANA, { client_message_id: entry.client_message_id }));
  assert.equal(storage.length, 0);
});

test("an unsent message survives a reload and keeps its id", () => {
  const before = begin({ ready: false });
  const entry = before.outbox.compose({ conversation_id: ROOM, content: "hello" });
  const after = begin({ storage: before.storage });
  after.outbox.restore();
  assert.equal(after.connection.sent[0].client_message_id, entry.client_message_id);
});

test("after ten seconds without acknowledgement the same id is sent again", () => {
  const { surroundings, connection, outbox } = begin();
  outbox.compose({ conversation_id: ROOM, content: "hello" });
  surroundings.pass(10_001);
  assert.equal(connection.sent.length, 2);
  assert.equal(connection.sent[0].client_message_id, connection.sent[1].client_message_id);
});

test("a new connection sends again at once", () => {
  const { connection, outbox } = begin();
  outbox.compose({ conversation_id: ROOM, content: "hello" });
  connection.ready = false;
  outbox.linkChanged("waiting");
  connection.ready = true;
  outbox.linkChanged("connected");
  assert.equal(connection.sent.length, 2);
});

test("try_again is retried automatically and keeps the order", () => {
  const { surroundings, connection, outbox, frame } = begin();
  const first = outbox.compose({ conversation_id: ROOM, content: "one" });
  outbox.compose({ conversation_id: ROOM, content: "two" });
  frame({ type: "error", code: "try_again", message: "", client_message_id: first.client_message_id, retry_after: 2 });
  surroundings.pass(1_999);
  assert.deepEqual(sentTexts(connection), ["one"]);
  surroundings.pass(502);
  assert.deepEqual(sentTexts(connection), ["one", "one"]);
});

test("a refused entry is kept, lets the next one pass, and can be discarded", () => {
  const { storage, store, connection, outbox, frame } = begin();
  const first = outbox.compose({ conversation_id: ROOM, content: "one" });
  outbox.compose({ conversation_id: ROOM, content: "two" });
  frame({ type: "error", code: "forbidden", message: "You may not write here.", id: first.client_message_id });
  assert.equal(store.state.outbox[0].state, "failed");
  assert.equal(store.state.outbox[0].error, "You may not write here.");
  assert.deepEqual(sentTexts(connection), ["one", "two"]);
  assert.equal(JSON.parse(storage.getItem(`chatsite.outbox.${first.client_message_id}`)).state, "failed");
  outbox.discard(store.state.outbox[0]);
  assert.equal(storage.getItem(`chatsite.outbox.${first.client_message_id}`), null);
});

test("an entry acknowledged in a former epoch is stored and sent again", () => {
  const { storage, connection, outbox, frame } = begin();
  frame({ type: "connected", epoch: "E1", server_time: "T1" });
  const entry = outbox.compose({ conversation_id: ROOM, content: "hello" });
  frame(ack(entry, 1));
  assert.equal(storage.length, 0);
  frame({ type: "connected", epoch: "E2", server_time: "T2" });
  assert.equal(storage.length, 1);
  assert.deepEqual(connection.sent.map((one) => one.client_message_id), Array(2).fill(entry.client_message_id));
});

test("a refusal drops a message only if its conversation is known to be gone", () => {
  const { store, outbox, frame } = begin();
  const refusal = (entry) => frame({ type: "error", code: "not_found", message: "", id: entry.client_message_id });
  refusal(outbox.compose({ conversation_id: "unknown yet", content: "hello" }));
  assert.deepEqual(store.state.outbox.map((one) => one.state), ["failed"]);
  store.dispatch({ type: "list_completed" });
  refusal(outbox.compose({ conversation_id: "gone", content: "hello" }));
  assert.deepEqual(store.state.outbox.map((one) => one.conversation_id), ["unknown yet"]);
});

test("a message is sent over REST when the socket stays away", async () => {
  const { surroundings, api, storage, outbox } = begin({
    ready: false,
    sendMessage: async (fields) => ({ ...fields, id: "m", sequence: 1 }),
  });
  outbox.compose({ conversation_id: ROOM, content: "hello" });
  surroundings.pass(7_900);
  assert.equal(api.calls.length, 0);
  surroundings.pass(200);
  assert.equal(api.calls.length, 1);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(storage.length, 0);
});

test("an unreachable REST is tried again later", async () => {
  const { surroundings, api, storage, outbox } = begin({
    ready: false,
    sendMessage: async () => {
      throw Object.assign(new Error("unreachable"), { temporary: true });
    },
  });
  outbox.compose({ conversation_id: ROOM, content: "hello" });
  surroundings.pass(8_001);
  for (let round = 0; round < 4; round += 1) await Promise.resolve();
  surroundings.pass(1_000);
  assert.equal(api.calls.length, 2);
  assert.equal(storage.length, 1);
});
