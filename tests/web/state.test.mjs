/** Timelines, receipts, unread counts, typing and outgoing messages in the reducer. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { initialState, reduce } from "../../static/js/state/reducer.js";
import { countArchived, listRows, totalUnread } from "../../static/js/state/selectors.js";
import { mutedLine } from "../../static/js/wording.js";
import { othersWatermarks, statusOf } from "../../static/js/state/receipts.js";
import { emptyTimeline, prependPage, putMessage, shownMessages, trimTimeline } from "../../static/js/state/timeline.js";
import { ANA, BEN, CLEO, ROOM, conversation, message, newMessage, participant } from "./builders.mjs";

const run = (state, ...actions) => actions.reduce(reduce, state);
const frame = (body, now = 0) => ({ type: "frame_received", frame: body, now });
const withRoom = (changes) =>
  run(
    initialState(),
    { type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } },
    { type: "page_loaded", conversations: [conversation(changes)] },
  );
const entry = (changes) => ({
  client_message_id: "client-1",
  conversation_id: ROOM,
  content: "text 1",
  message_type: "text",
  state: "pending",
  ...changes,
});

test("a page of history goes in front of what the log brought", () => {
  let timeline = putMessage(emptyTimeline(3), message(4, BEN), 4);
  timeline = prependPage(timeline, {
    before: 4,
    requested_at: 4,
    results: [message(3, BEN), message(2, ANA)],
    has_more: true,
  });
  assert.deepEqual(shownMessages(timeline).map((one) => one.sequence), [2, 3, 4]);
  assert.equal(timeline.covers_from, 2);
  timeline = prependPage(timeline, { before: 2, requested_at: 4, results: [message(1, BEN)], has_more: false });
  assert.equal(timeline.covers_from, 1);
  assert.equal(timeline.has_more, false);
});

test("a page that was asked for another edge is ignored", () => {
  const timeline = emptyTimeline(3);
  assert.equal(prependPage(timeline, { before: 9, requested_at: 3, results: [], has_more: false }), timeline);
});

test("a page does not bring back a text that was deleted while it was on its way", () => {
  const state = run(
    withRoom({ last_sequence: 3 }),
    frame({
      type: "message_deleted",
      conversation_id: ROOM,
      sequence: 4,
      message: message(2, BEN, { content: "", deleted_at: "2026-01-01T00:00:00Z" }),
    }),
    {
      type: "history_loaded",
      id: ROOM,
      page: { before: 4, requested_at: 3, results: [message(3, BEN), message(2, BEN), message(1, BEN)], has_more: false },
    },
  );
  assert.equal(shownMessages(state.timelines[ROOM])[1].content, "");
});

test("trimming keeps the newest and knows that there is more", () => {
  let timeline = emptyTimeline(0);
  for (let sequence = 1; sequence <= 9; sequence += 1) timeline = putMessage(timeline, message(sequence, BEN), sequence);
  const trimmed = trimTimeline(timeline, 4);
  assert.equal(trimmed.covers_from, 6);
  assert.equal(trimmed.has_more, true);
  assert.equal(shownMessages(trimmed).length, 4);
});

test("ticks follow the slowest of the others, and a read message was delivered", () => {
  const room = conversation({
    participant_count: 3,
    participants: [
      participant(ANA),
      participant(BEN, { last_delivered_sequence: 5, last_read_sequence: 2 }),
      participant(CLEO, { last_delivered_sequence: 1, last_read_sequence: 4 }),
    ],
  });
  const marks = othersWatermarks(room, ANA);
  assert.deepEqual(marks, { delivered: 4, read: 2 });
  assert.equal(statusOf(message(2, ANA), marks), "read");
  assert.equal(statusOf(message(4, ANA), marks), "delivered");
  assert.equal(statusOf(message(5, ANA), marks), "sent");
  assert.equal(statusOf(message(5, ANA, { status: "delivered" }), null), "delivered");
});

test("receipts never go back", () => {
  const receipt = (up_to_sequence) =>
    frame({ type: "message_read", conversation_id: ROOM, up_to_sequence, reader_id: BEN });
  const state = run(withRoom({ last_sequence: 9 }), receipt(7), receipt(3));
  assert.equal(state.conversations[ROOM].participants[1].last_read_sequence, 7);
});

test("system messages and my own never count as unread", () => {
  const state = run(
    withRoom(),
    frame(newMessage(1, null, { message_type: "system" })),
    frame(newMessage(2, ANA)),
    frame(newMessage(3, BEN)),
  );
  assert.equal(state.conversations[ROOM].unread_count, 1);
});

test("reading on another device counts by the held history, not by a figure that may run ahead", () => {
  const state = run(
    withRoom(),
    frame(newMessage(1, BEN)),
    frame(newMessage(2, BEN)),
    frame({ type: "conversation_read", conversation_id: ROOM, up_to_sequence: 1, unread_count: 2 }),
    frame(newMessage(3, BEN)),
  );
  assert.equal(state.conversations[ROOM].unread_count, 2);
});

test("reading on another device before the held history takes the server's figure", () => {
  const state = run(
    withRoom({ last_sequence: 30, unread_count: 20 }),
    frame({ type: "conversation_read", conversation_id: ROOM, up_to_sequence: 22, unread_count: 8 }),
  );
  assert.equal(state.conversations[ROOM].unread_count, 8);
});

test("what was read here stays read until the server is known to know", () => {
  let state = run(withRoom(), frame(newMessage(1, BEN)), { type: "read_here", id: ROOM, sequence: 1 });
  assert.equal(state.conversations[ROOM].unread_count, 0);
  assert.deepEqual(state.reads, { [ROOM]: 1 });
  state = run(
    state,
    { type: "synced", heads: { [ROOM]: 1 }, resync: [ROOM], asked: [ROOM], since: "t" },
    { type: "conversation_loaded", conversation: conversation({ last_sequence: 1, unread_count: 1 }) },
  );
  assert.equal(state.conversations[ROOM].unread_count, 0);
  state = run(state, { type: "reads_confirmed", reads: { [ROOM]: 1 } });
  assert.deepEqual(state.reads, {});
});

test("typing ends with the stop, with the message, and after ten seconds", () => {
  const typing = (is_typing) => ({ type: "typing", conversation_id: ROOM, user_id: BEN, is_typing, expires_in: 3 });
  const started = run(withRoom(), frame(typing(true), 1000));
  assert.deepEqual(Object.keys(started.typing[ROOM]), [BEN]);
  assert.deepEqual(run(started, frame(typing(false), 2000)).typing, {});
  assert.deepEqual(run(started, frame(newMessage(1, BEN))).typing, {});
  assert.equal(run(started, { type: "clock", now: 10_999 }), started);
  assert.deepEqual(run(started, { type: "clock", now: 11_000 }).typing, {});
});

test("an outgoing message is never absent between its acknowledgement and its event", () => {
  const ack = { type: "message_ack", client_message_id: "client-1", conversation_id: ROOM, sequence: 1 };
  const composed = run(withRoom(), { type: "composed", entries: [entry()] });
  const acked = run(composed, frame(ack));
  assert.equal(acked.outbox[0].state, "sent");
  assert.deepEqual(run(acked, frame(newMessage(1, ANA))).outbox, []);
  const echoed = run(composed, frame(newMessage(1, ANA)));
  assert.deepEqual(echoed.outbox, []);
  assert.deepEqual(run(echoed, frame(ack)).outbox, []);
});

test("an acknowledgement of an event that a loaded body already contains removes the entry", () => {
  const ack = { type: "message_ack", client_message_id: "client-1", conversation_id: ROOM, sequence: 4, duplicate: true };
  const state = run(withRoom({ last_sequence: 6 }), { type: "composed", entries: [entry()] }, frame(ack));
  assert.deepEqual(state.outbox, []);
});

test("somebody else's message with my client id leaves my entry alone", () => {
  const state = run(withRoom(), { type: "composed", entries: [entry()] }, frame(newMessage(1, BEN)));
  assert.equal(state.outbox.length, 1);
});

test("a refused message is kept with its reason and can be revived", () => {
  let state = run(
    withRoom(),
    { type: "composed", entries: [entry()] },
    { type: "refused", client_message_id: "client-1", error: "too long" },
  );
  assert.equal(state.outbox[0].state, "failed");
  state = run(state, { type: "retried", client_message_id: "client-1" });
  assert.equal(state.outbox[0].state, "pending");
});

test("another epoch of the log leaves me and what I wrote, and nothing that was numbered", () => {
  const before = run(
    withRoom({ last_sequence: 5 }),
    frame({ type: "connected", epoch: "E1", server_time: "T1" }),
    frame(newMessage(6, BEN)),
    frame(newMessage(9, BEN)),
    { type: "list_completed" },
    { type: "opened", id: ROOM },
    { type: "read_here", id: ROOM, sequence: 6 },
    { type: "quote_loaded", id: "message-1", message: message(1, BEN) },
    { type: "composed", entries: [entry(), entry({ client_message_id: "client-2" })] },
    frame({ type: "message_ack", client_message_id: "client-2", conversation_id: ROOM, sequence: 7 }),
  );
  const same = run(before, frame({ type: "connected", epoch: "E1", server_time: "T2" }));
  assert.equal(same.conversations, before.conversations);
  const after = run(before, frame({ type: "connected", epoch: "E2", server_time: "T2" }));
  const { conversations, timelines, repairs, stale, reads, quotes } = initialState();
  assert.deepEqual({ ...after, conversations, timelines, repairs, stale, reads, quotes }, after);
  assert.deepEqual([after.epoch, after.since, after.complete, after.open], ["E2", "T2", false, ROOM]);
  assert.deepEqual([after.me, after.people], [before.me, before.people]);
  assert.deepEqual(after.outbox.map((one) => [one.client_message_id, one.state, one.sequence]), [
    ["client-1", "pending", undefined],
    ["client-2", "pending", undefined],
  ]);
});

test("an unknown action is refused loudly", () => {
  assert.throws(() => reduce(initialState(), { type: "teleported" }), /unknown action/);
});

test("what I read elsewhere is counted by the server where the history is not held, told of the mark before or not", () => {
  const room = { last_sequence: 5, unread_count: 5 };
  const told = { conversation_id: ROOM, up_to_sequence: 3 };
  const count = frame({ type: "conversation_read", ...told, unread_count: 2 });
  const mark = frame({ type: "message_read", ...told, reader_id: ANA });
  for (const frames of [[count], [mark, count], [count, mark], [mark, count, mark, count]]) {
    assert.equal(run(withRoom(room), ...frames).conversations[ROOM].unread_count, 2);
  }
  const older = frame({ type: "conversation_read", ...told, up_to_sequence: 2, unread_count: 3 });
  assert.equal(run(withRoom(room), mark, count, older).conversations[ROOM].unread_count, 2);
});

const flags = { muted_until: null, notification_level: "all", pinned: false, archived: false };
const mine = (changes) => ({ last_read_sequence: 0, ...flags, ...changes });

test("what I set for myself is taken from its event, and my rights and marks are not", () => {
  const state = run(
    withRoom({ last_sequence: 1, me: { role: "owner", ...mine({ last_read_sequence: 1 }) } }),
    frame({
      type: "my_place_updated",
      conversation_id: ROOM,
      sequence: 2,
      me: { role: "member", ...mine({ pinned: true, muted_until: "2026-01-02T00:00:00Z" }) },
    }),
  );
  const { me, last_sequence } = state.conversations[ROOM];
  assert.equal(last_sequence, 2);
  assert.deepEqual(me, { role: "owner", ...mine({ last_read_sequence: 1, pinned: true, muted_until: "2026-01-02T00:00:00Z" }) });
});

test("pinned conversations come first, archived ones stand apart, and a search finds both", () => {
  const named = (id, changes) => conversation({ id, name: id, display_name: id, me: mine(changes) });
  const state = run(
    initialState(),
    { type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } },
    { type: "page_loaded", conversations: [named("c1", {}), named("c2", { pinned: true }), named("c3", { archived: true })] },
  );
  const ids = (...how) => listRows(state, ...how).map((one) => one.id);
  assert.deepEqual(ids(), ["c2", "c1"]);
  assert.deepEqual(ids("", true), ["c3"]);
  assert.deepEqual(ids("c"), ["c2", "c3", "c1"]);
  assert.equal(countArchived(state), 1);
});

test("what is muted or archived does not count in the title", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  const unread = (id, changes) => conversation({ id, unread_count: 1, me: mine(changes) });
  const state = run(
    initialState(),
    { type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } },
    {
      type: "page_loaded",
      conversations: [
        unread("c1", {}),
        unread("c2", { muted_until: "2026-01-01T12:00:01Z" }),
        unread("c3", { muted_until: "2026-01-01T11:59:59Z" }),
        unread("c4", { archived: true }),
      ],
    },
  );
  assert.equal(totalUnread(state, now), 2);
});

test("the end of a mute is told as a time today, a day later on, and not at all when it is for good", () => {
  const now = new Date(2026, 0, 5, 12, 0);
  const at = (...when) => mutedLine(new Date(...when).toISOString(), now);
  assert.match(at(2026, 0, 5, 13, 30), /^Muted until \d+:30/);
  assert.match(at(2026, 0, 12, 12, 0), /^Muted until January 12, /);
  assert.match(at(2027, 0, 12, 12, 0), /^Muted until January 12, 2027, /);
  assert.equal(at(9999, 0, 1), "Muted until you unmute it");
});
