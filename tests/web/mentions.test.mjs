/** Mentions: the people that a text names, their offsets, and the count of unread mentions. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  begunMention,
  findMentions,
  labelOf,
  labelsOf,
  labelsOfMessage,
  membersLike,
  mentionParts,
} from "../../static/js/mentions.js";
import { initialState, reduce } from "../../static/js/state/reducer.js";
import { ANA, BEN, CLEO, ROOM, conversation, message, newMessage, participant } from "./builders.mjs";

const ana = participant(ANA, { username: "ana", display_name: "Ana Horvat" });
const ben = participant(BEN, { username: "ben-o", display_name: "Ben" });
const cleo = participant(CLEO, { username: "cleo", display_name: "Cléo 🌻" });
const all = [ana, ben, cleo];
const found = (text, labels = labelsOf(all), most = 50) => findMentions(text, labels, most);

// --- Writing ----------------------------------------------------------------------------------

test("a mention begins with an @ at the beginning of a word", () => {
  assert.deepEqual(begunMention("hello @be", 9), { start: 6, query: "be" });
  assert.deepEqual(begunMention("@", 1), { start: 0, query: "" });
  assert.deepEqual(begunMention("(@Cl and more", 4), { start: 1, query: "Cl" });
  assert.deepEqual(begunMention("😀@b", 4), { start: 2, query: "b" });
  assert.equal(begunMention("ben@example", 11), null);
  assert.equal(begunMention("@ben is", 7), null);
  assert.equal(begunMention("hello @be", 5), null);
});

test("members are found by prefix, without me, and matches at the start of the name come first", () => {
  const benCleo = participant("d", { username: "bc", display_name: "Ada Benson" });
  assert.deepEqual(membersLike([benCleo, ...all], "ben", ANA), [ben, benCleo]);
  assert.deepEqual(membersLike(all, "", ANA), [ben, cleo]);
  assert.deepEqual(membersLike(all, "CLÉ", ANA), [cleo]);
  assert.deepEqual(membersLike(all, "x", ANA), []);
  assert.equal(membersLike(Array.from({ length: 50 }, (_, n) => participant(`p${n}`)), "", ANA).length, 8);
});

test("a shared display name is replaced by the user name", () => {
  const other = participant("d", { username: "ben2", display_name: "Ben" });
  assert.equal(labelOf(ben, all), "@Ben");
  assert.equal(labelOf(ben, [...all, other]), "@ben-o");
  assert.deepEqual(found("@Ben @ben2", labelsOf([...all, other])), [{ user_id: "d", offset: 5, length: 5 }]);
  const called = participant("e", { username: "x", display_name: "cleo" });
  assert.deepEqual(found("@cleo", labelsOf([called, cleo])), [{ user_id: CLEO, offset: 0, length: 5 }]);
});

test("offsets count code points, not UTF-16 units", () => {
  assert.deepEqual(found("👋🏽 @Cléo 🌻, 𝒶 @Ben!"), [
    { user_id: CLEO, offset: 3, length: 7 },
    { user_id: BEN, offset: 14, length: 4 },
  ]);
});

test("a label is a whole word, the longest wins, and their number is limited", () => {
  assert.deepEqual(found("@Benjamin a@Ben @ben-o"), [{ user_id: BEN, offset: 16, length: 6 }]);
  const anna = participant("f", { username: "ah", display_name: "Ana" });
  assert.deepEqual(found("@Ana Horvat @Ana", labelsOf([anna, ...all])), [
    { user_id: ANA, offset: 0, length: 11 },
    { user_id: "f", offset: 12, length: 4 },
  ]);
  assert.equal(found("@Ben ".repeat(60)).length, 50);
  assert.deepEqual(found("@Ben’s, @Ben.").map((one) => one.offset), [0, 8]);
});

test("an edit keeps the mentions of a message, also under a former name", () => {
  const before = message(1, BEN, { content: "🎉 @Old Name hi", mentions: [{ user_id: "gone", offset: 2, length: 9 }] });
  const labels = [...labelsOfMessage(before), ...labelsOf(all)];
  assert.deepEqual(found("well, @Old Name and @Ben", labels), [
    { user_id: "gone", offset: 6, length: 9 },
    { user_id: BEN, offset: 20, length: 4 },
  ]);
});

// --- Showing ------------------------------------------------------------------------------------

test("a text is split into parts at code points", () => {
  const mentions = [
    { user_id: BEN, offset: 14, length: 4 },
    { user_id: CLEO, offset: 3, length: 7 },
  ];
  assert.deepEqual(mentionParts("👋🏽 @Cléo 🌻, 𝒶 @Ben!", mentions), [
    { text: "👋🏽 " },
    { text: "@Cléo 🌻", user_id: CLEO },
    { text: ", 𝒶 " },
    { text: "@Ben", user_id: BEN },
    { text: "!" },
  ]);
});

test("a mention outside of the text is not shown", () => {
  const at = (offset, length) => ({ user_id: BEN, offset, length });
  for (const wrong of [at(1, 3), at(-1, 2), at(0, 0), at(5, 1)]) {
    assert.deepEqual(mentionParts("abc", [wrong]), [{ text: "abc" }]);
  }
  assert.deepEqual(mentionParts("abc", [at(0, 2), at(1, 2)]), [{ text: "ab", user_id: BEN }, { text: "c" }]);
  assert.deepEqual(mentionParts("", undefined), []);
});

// --- Counting -----------------------------------------------------------------------------------

const OF_ME = [{ user_id: ANA, offset: 0, length: 1 }];
const OF_BEN = [{ user_id: BEN, offset: 0, length: 1 }];
const run = (state, ...frames) => frames.map((frame) => ({ type: "frame_received", frame, now: 0 })).reduce(reduce, state);
const withRoom = (changes) =>
  [
    { type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } },
    { type: "page_loaded", conversations: [conversation({ mention_count: 0, ...changes })] },
  ].reduce(reduce, initialState());
const changed = (type, sequence, of, changes) => ({
  type,
  conversation_id: ROOM,
  sequence,
  message: message(of, BEN, changes),
});
const count = (state) => state.conversations[ROOM].mention_count;

test("unread mentions of me are counted after edits, deletions and reads", () => {
  let state = run(
    withRoom(),
    newMessage(1, BEN, { mentions: OF_ME }),
    newMessage(2, ANA, { mentions: OF_ME }),
    newMessage(3, BEN, { mentions: OF_BEN }),
    newMessage(4, BEN, { mentions: [...OF_BEN, ...OF_ME] }),
  );
  assert.equal(count(state), 2);
  state = run(state, changed("message_updated", 5, 3, { mentions: OF_ME }));
  assert.equal(count(state), 3);
  state = run(state, changed("message_updated", 6, 1, { mentions: [] }));
  assert.equal(count(state), 2);
  state = run(state, changed("message_deleted", 7, 4, { mentions: [], content: "", deleted_at: "2026-01-01T00:00:00Z" }));
  assert.equal(count(state), 1);
  state = reduce(state, { type: "read_here", id: ROOM, sequence: 2 });
  assert.equal(count(state), 1);
  state = reduce(state, { type: "read_here", id: ROOM, sequence: 3 });
  assert.equal(count(state), 0);
  state = run(state, changed("message_updated", 8, 3, { mentions: OF_BEN }), changed("message_updated", 9, 3, { mentions: OF_ME }));
  assert.equal(count(state), 0, "a read message does not count");
});

test("a read on another device takes the count of the server where history is not loaded", () => {
  const state = run(withRoom({ last_sequence: 90, unread_count: 80, mention_count: 7 }), {
    type: "conversation_read",
    conversation_id: ROOM,
    up_to_sequence: 50,
    unread_count: 40,
    mention_count: 3,
    last_sequence: 90,
  });
  assert.equal(count(state), 3);
});

test("a change of an unread message that is not loaded requests the count", () => {
  const room = { last_sequence: 90, unread_count: 80, mention_count: 7 };
  const state = run(withRoom(room), changed("message_updated", 91, 20, { mentions: [] }));
  assert.deepEqual(state.stale, { [ROOM]: 91 });
  const answer = (changes) => ({
    type: "rights_loaded",
    id: ROOM,
    asked: 91,
    conversation: conversation({ ...room, last_sequence: 91, mention_count: 6, ...changes }),
  });
  const updated = reduce(state, answer());
  assert.equal(count(updated), 6);
  assert.deepEqual(updated.stale, {});
  const ahead = reduce(state, answer({ last_sequence: 92, mention_count: 8 }));
  assert.equal(count(run(ahead, newMessage(92, BEN, { mentions: OF_ME }))), 8, "the event was counted already");
  const elsewhere = answer({ me: { last_read_sequence: 30 } });
  assert.equal(count(reduce(state, elsewhere)), 7, "an answer for another read position is ignored");
});
