/** Frames that the client sends by itself: receipts and typing. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createReceipts } from "../../static/js/receipts.js";
import { initialState, reduce } from "../../static/js/state/reducer.js";
import { createStore } from "../../static/js/store.js";
import { createTyping } from "../../static/js/typing.js";
import { ANA, BEN, ROOM, conversation, newMessage } from "./builders.mjs";
import { FakeSurroundings } from "./fakes.mjs";

function begin() {
  const surroundings = new FakeSurroundings();
  const connection = { sent: [], ready: true, silent: false, send: (frame) => connection.sent.push(frame) > 0 };
  const store = createStore(reduce, initialState());
  store.dispatch({ type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } });
  store.dispatch({ type: "page_loaded", conversations: [conversation()] });
  return { surroundings, connection, store };
}

test("arrivals are combined into one delivery receipt, a read sends only a read receipt", () => {
  const { surroundings, connection, store } = begin();
  createReceipts({ store, connection, surroundings });
  const arrives = (sequence) =>
    store.dispatch({ type: "frame_received", frame: newMessage(sequence, BEN), now: surroundings.now() });
  arrives(1);
  arrives(2);
  surroundings.pass(300);
  assert.deepEqual(connection.sent, [{ type: "delivery_receipt", conversation_id: ROOM, sequence: 2 }]);
  arrives(3);
  store.dispatch({ type: "read_here", id: ROOM, sequence: 3 });
  surroundings.pass(300);
  assert.deepEqual(connection.sent.slice(1), [{ type: "read_receipt", conversation_id: ROOM, sequence: 3 }]);
});

test("own messages need no receipt", () => {
  const { surroundings, connection, store } = begin();
  createReceipts({ store, connection, surroundings });
  store.dispatch({ type: "frame_received", frame: newMessage(1, ANA), now: surroundings.now() });
  surroundings.pass(1_000);
  assert.deepEqual(connection.sent, []);
});

test("a read receipt is repeated on a new socket until a pong confirms it", () => {
  const { surroundings, connection, store } = begin();
  const receipts = createReceipts({ store, connection, surroundings });
  store.dispatch({ type: "frame_received", frame: newMessage(1, BEN), now: surroundings.now() });
  store.dispatch({ type: "read_here", id: ROOM, sequence: 1 });
  surroundings.pass(300);
  receipts.linkChanged("connected");
  surroundings.pass(300);
  assert.equal(connection.sent.length, 2);
  const timestamp = new Date(surroundings.now() + 1).toISOString();
  receipts.frameReceived({ type: "pong", timestamp });
  assert.deepEqual(store.state.reads, {});
  receipts.linkChanged("connected");
  surroundings.pass(300);
  assert.equal(connection.sent.length, 2);
});

test("typing is sent after half a second, renewed within the lease, and stopped when idle", () => {
  const { surroundings, connection } = begin();
  const typing = createTyping({ connection, surroundings });
  const said = () => connection.sent.map((frame) => frame.is_typing);
  typing.keyPressed(ROOM, "h");
  surroundings.pass(499);
  assert.deepEqual(said(), []);
  surroundings.pass(1);
  assert.deepEqual(said(), [true]);
  for (let key = 0; key < 8; key += 1) {
    surroundings.pass(500);
    typing.keyPressed(ROOM, "hello");
  }
  assert.deepEqual(said(), [true, true, true]);
  surroundings.pass(6_000);
  assert.equal(said().at(-1), false);
});

test("a message sent within half a second sends no typing", () => {
  const { surroundings, connection } = begin();
  const typing = createTyping({ connection, surroundings });
  typing.keyPressed(ROOM, "ok");
  typing.stop();
  surroundings.pass(10_000);
  assert.deepEqual(connection.sent, []);
});
