/** The connection: attempts, heartbeat, drain, and the two close codes that end it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createConnection } from "../../static/js/connection.js";
import { FakeSurroundings } from "./fakes.mjs";

const CONNECTED = { type: "connected", heartbeat_interval: 30 };

function begin() {
  const surroundings = new FakeSurroundings();
  const seen = { links: [], frames: [], stops: [] };
  const connection = createConnection({
    url: "ws://test/ws",
    onLink: (link) => seen.links.push(link),
    onFrame: (frame) => seen.frames.push(frame.type),
    onStop: (code) => seen.stops.push(code),
    surroundings,
  });
  connection.start();
  return { surroundings, seen, connection };
}

test("it retries for ever, with growing waits up to thirty seconds", () => {
  const { surroundings, seen } = begin();
  for (let round = 0; round < 50; round += 1) {
    surroundings.socket.drops();
    surroundings.pass(15_001);
    assert.equal(surroundings.sockets.length, round + 2);
  }
  assert.equal(seen.stops.length, 0);
  surroundings.socket.drops();
  surroundings.pass(14_000);
  assert.equal(surroundings.sockets.length, 51);
});

test("a stable socket resets the waits", () => {
  const { surroundings } = begin();
  for (let round = 0; round < 8; round += 1) {
    surroundings.socket.drops();
    surroundings.pass(15_001);
  }
  surroundings.socket.receives(CONNECTED);
  surroundings.pass(11_000);
  surroundings.socket.drops();
  const before = surroundings.sockets.length;
  surroundings.pass(251);
  assert.equal(surroundings.sockets.length, before + 1);
});

test("it stops on 4401 and 4403 and on nothing else", () => {
  for (const code of [4401, 4403]) {
    const { surroundings, seen } = begin();
    surroundings.socket.drops(code);
    surroundings.pass(100_000);
    assert.deepEqual(seen.stops, [code]);
    assert.equal(surroundings.sockets.length, 1);
  }
  for (const code of [1000, 1006, 1009, 1012, 4400, 4408, 4410, 4429]) {
    const { surroundings, seen } = begin();
    surroundings.socket.drops(code);
    surroundings.pass(15_001);
    assert.deepEqual(seen.stops, []);
    assert.equal(surroundings.sockets.length, 2, `code ${code}`);
  }
});

test("a replaced tab stays parked until it is woken", () => {
  const { surroundings, seen, connection } = begin();
  surroundings.socket.receives(CONNECTED);
  surroundings.socket.drops(4409);
  surroundings.pass(600_000);
  assert.equal(surroundings.sockets.length, 1);
  assert.equal(seen.links.at(-1), "parked");
  connection.wake();
  surroundings.pass(1);
  assert.equal(surroundings.sockets.length, 2);
});

test("after reconnect nothing is sent, and no attempt comes before retry_after", () => {
  const { surroundings, connection } = begin();
  surroundings.socket.receives(CONNECTED);
  surroundings.socket.receives({ type: "reconnect", retry_after: 7 });
  assert.equal(connection.send({ type: "ping" }), false);
  surroundings.socket.drops(1012);
  surroundings.pass(6_999);
  connection.wake();
  surroundings.pass(0);
  assert.equal(surroundings.sockets.length, 1);
  surroundings.pass(502);
  assert.equal(surroundings.sockets.length, 2);
});

test("it pings every thirty seconds and reconnects after sixty silent ones", () => {
  const { surroundings, seen } = begin();
  surroundings.socket.receives(CONNECTED);
  surroundings.pass(31_000);
  assert.deepEqual(surroundings.socket.sent.map((frame) => frame.type), ["ping"]);
  surroundings.socket.receives({ type: "pong" });
  surroundings.pass(59_000);
  assert.equal(surroundings.sockets.length, 1);
  surroundings.pass(4_000);
  assert.equal(surroundings.sockets.length, 2);
  assert.ok(seen.links.includes("waiting"));
});

test("a woken tab replaces a dead socket after five seconds", () => {
  const { surroundings, connection } = begin();
  surroundings.socket.receives(CONNECTED);
  surroundings.pass(20_000);
  connection.wake();
  assert.equal(surroundings.socket.sent.at(-1).type, "ping");
  surroundings.pass(7_000);
  assert.equal(surroundings.sockets.length, 2);
});

test("a socket without connected is replaced", () => {
  const { surroundings } = begin();
  surroundings.pass(17_000);
  assert.equal(surroundings.sockets.length, 2);
});

test("frames of an abandoned socket are ignored", () => {
  const { surroundings, seen, connection } = begin();
  const old = surroundings.socket;
  old.receives(CONNECTED);
  connection.networkLost();
  assert.equal(old.onmessage, null);
  assert.deepEqual(seen.frames, ["connected"]);
});

test("after rate_limited the client is silent for retry_after", () => {
  const { surroundings, connection } = begin();
  surroundings.socket.receives(CONNECTED);
  surroundings.socket.receives({ type: "error", code: "rate_limited", retry_after: 3 });
  assert.equal(connection.silent, true);
  surroundings.pass(3_000);
  assert.equal(connection.silent, false);
});
