/** Checksum, jitter and identifiers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";

import { fullJitter, waitingTime } from "../../static/js/backoff.js";
import { crc32, summariseHeads } from "../../static/js/checksum.js";
import { makeUuid } from "../../static/js/identifiers.js";

test("crc32 equals that of zlib", () => {
  assert.equal(crc32("123456789"), 0xcbf43926);
  assert.equal(crc32(""), 0);
  for (const text of ["a:1", "ä🙂", "x".repeat(1000)]) {
    if (zlibCrc32) assert.equal(crc32(text), zlibCrc32(text));
  }
});

test("the digest of heads ignores their order and stays within 32 bits", () => {
  const heads = [["a", 1], ["b", 2], ["c", 3]];
  const expected = heads.reduce((sum, [id, last]) => (sum + crc32(`${id}:${last}`)) % 2 ** 32, 0);
  assert.deepEqual(summariseHeads(heads), { count: 3, checksum: expected });
  assert.deepEqual(summariseHeads(heads.reverse()), { count: 3, checksum: expected });
  assert.deepEqual(summariseHeads([]), { count: 0, checksum: 0 });
});

test("full jitter has a ceiling that doubles from half a second to thirty", () => {
  const almostOne = () => 0.999999;
  const ceilings = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map((failures) => Math.round(fullJitter(failures, almostOne) * 10) / 10);
  assert.deepEqual(ceilings, [0.5, 1, 2, 4, 8, 16, 30, 30, 30]);
  assert.equal(fullJitter(9, () => 0), 0);
});

test("the waiting time is never below retry_after", () => {
  assert.equal(waitingTime(7, 3, () => 0), 7);
  assert.ok(waitingTime(7, 3, () => 0.99) < 7.5);
  assert.equal(waitingTime(undefined, 0, () => 0.5), 0.25);
});

test("identifiers are version 4 UUIDs, with and without randomUUID", () => {
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(makeUuid(), form);
  const insecure = { getRandomValues: (bytes) => globalThis.crypto.getRandomValues(bytes) };
  assert.match(makeUuid(insecure), form);
  assert.notEqual(makeUuid(insecure), makeUuid(insecure));
});
