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

test("a page of history is put before the events of the log", () => {
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

test("a page that does not join the timeline is ignored", () => {
  const timeline = emptyTimeline(3);
  assert.equal(prependPage(timeline, { before: 9, requested_at: 3, results: [], has_more: false }), timeline);
});

test("a page does not restore a text that was deleted during its load", () => {
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

test("trimming keeps the newest and sets has_more", () => {
  let timeline = emptyTimeline(0);
  for (let sequence = 1; sequence <= 9; sequence += 1) timeline = putMessage(timeline, message(sequence, BEN), sequence);
  const trimmed = trimTimeline(timeline, 4);
  assert.equal(trimmed.covers_from, 6);
  assert.equal(trimmed.has_more, true);
  assert.equal(shownMessages(trimmed).length, 4);
});

test("the status follows the slowest of the others, and read includes delivered", () => {
  const room = conversation({
    participant_count: 3,
    participants: [
      participant(ANA),
      participant(BEN, { last_delivered_sequence: 5, last_read_sequence: 2 }),
      participant(CLEO, { last_delivered_sequence: 1, last_read_sequence: 4 }),
    ],
  });
  const positions = othersWatermarks(room, ANA);
  assert.deepEqual(positions, { delivered: 4, read: 2 });
  assert.equal(statusOf(message(2, ANA), positions), "read");
  assert.equal(statusOf(message(4, ANA), positions), "delivered");
  assert.equal(statusOf(message(5, ANA), positions), "sent");
  assert.equal(statusOf(message(5, ANA, { status: "delivered" }), null), "delivered");
});

test("receipts never go back", () => {
  const receipt = (up_to_sequence) =>
    frame({ type: "message_read", conversation_id: ROOM, up_to_sequence, reader_id: BEN });
  const state = run(withRoom({ last_sequence: 9 }), receipt(7), receipt(3));
  assert.equal(state.conversations[ROOM].participants[1].last_read_sequence, 7);
});

test("system messages and own messages never count as unread", () => {
  const state = run(
    withRoom(),
    frame(newMessage(1, null, { message_type: "system" })),
    frame(newMessage(2, ANA)),
    frame(newMessage(3, BEN)),
  );
  assert.equal(state.conversations[ROOM].unread_count, 1);
});

test("a read on another device is counted from the loaded history", () => {
  const state = run(
    withRoom(),
    frame(newMessage(1, BEN)),
    frame(newMessage(2, BEN)),
    frame({ type: "conversation_read", conversation_id: ROOM, up_to_sequence: 1, unread_count: 1, last_sequence: 2 }),
    frame(newMessage(3, BEN)),
  );
  assert.equal(state.conversations[ROOM].unread_count, 2);
});

test("a read on another device before the loaded history takes the count of the server", () => {
  const state = run(
    withRoom({ last_sequence: 30, unread_count: 20 }),
    frame({ type: "conversation_read", conversation_id: ROOM, up_to_sequence: 22, unread_count: 8, mention_count: 0, last_sequence: 30 }),
  );
  assert.equal(state.conversations[ROOM].unread_count, 8);
});

test("the count of the server is right before and after events that were lost and repaired", () => {
  const read = (unread_count, last_sequence) =>
    frame({ type: "conversation_read", conversation_id: ROOM, up_to_sequence: 22, unread_count, mention_count: 0, last_sequence });
  const room = () => withRoom({ last_sequence: 30, unread_count: 20 });
  const unread = (state) => state.conversations[ROOM].unread_count;
  const ahead = run(room(), read(10, 32));
  assert.equal(unread(ahead), 10);
  assert.equal(unread(run(ahead, frame(newMessage(31, BEN)), frame(newMessage(32, BEN)))), 10, "both were counted");
  assert.equal(unread(run(ahead, frame(newMessage(31, BEN)), frame(newMessage(32, BEN)), frame(newMessage(33, BEN)))), 11);
  const behind = run(room(), frame(newMessage(31, BEN)), frame(newMessage(32, ANA)), read(8, 30));
  assert.equal(unread(behind), 9, "31 came after the count");
});

test("messages deleted before they are read are not unread", () => {
  const deletion = (sequence, of) => {
    const tombstone = message(of, BEN, { content: "", deleted_at: "2026-01-01T00:02:00Z" });
    return frame({ type: "message_deleted", conversation_id: ROOM, sequence, message: tombstone });
  };
  const three = run(withRoom(), frame(newMessage(1, BEN)), frame(newMessage(2, BEN)), frame(newMessage(3, BEN)));
  const state = run(three, deletion(4, 1), deletion(5, 3));
  assert.equal(state.conversations[ROOM].unread_count, 1);
  const unloaded = run(withRoom({ last_sequence: 90, unread_count: 80 }), deletion(91, 20));
  assert.deepEqual(unloaded.stale, { [ROOM]: 91 }, "only the server knows whether it was unread");
});

test("a local read is kept until the server confirms it", () => {
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

test("typing ends with a stop, with a message, and after ten seconds", () => {
  const typing = (is_typing) => ({ type: "typing", conversation_id: ROOM, user_id: BEN, is_typing, expires_in: 3 });
  const started = run(withRoom(), frame(typing(true), 1000));
  assert.deepEqual(Object.keys(started.typing[ROOM]), [BEN]);
  assert.deepEqual(run(started, frame(typing(false), 2000)).typing, {});
  assert.deepEqual(run(started, frame(newMessage(1, BEN))).typing, {});
  assert.equal(run(started, { type: "clock", now: 10_999 }), started);
  assert.deepEqual(run(started, { type: "clock", now: 11_000 }).typing, {});
});

test("an outgoing message stays in the outbox until its event", () => {
  const ack = { type: "message_ack", client_message_id: "client-1", conversation_id: ROOM, sequence: 1 };
  const composed = run(withRoom(), { type: "composed", entries: [entry()] });
  const acked = run(composed, frame(ack));
  assert.equal(acked.outbox[0].state, "sent");
  assert.deepEqual(run(acked, frame(newMessage(1, ANA))).outbox, []);
  const echoed = run(composed, frame(newMessage(1, ANA)));
  assert.deepEqual(echoed.outbox, []);
  assert.deepEqual(run(echoed, frame(ack)).outbox, []);
});

test("an acknowledgement at or below the loaded head removes the entry", () => {
  const ack = { type: "message_ack", client_message_id: "client-1", conversation_id: ROOM, sequence: 4, duplicate: true };
  const state = run(withRoom({ last_sequence: 6 }), { type: "composed", entries: [entry()] }, frame(ack));
  assert.deepEqual(state.outbox, []);
});

test("a message of another sender with my client id does not change my entry", () => {
  const state = run(withRoom(), { type: "composed", entries: [entry()] }, frame(newMessage(1, BEN)));
  assert.equal(state.outbox.length, 1);
});

test("a refused message is kept with its reason and can be retried", () => {
  let state = run(
    withRoom(),
    { type: "composed", entries: [entry()] },
    { type: "refused", client_message_id: "client-1", error: "too long" },
  );
  assert.equal(state.outbox[0].state, "failed");
  state = run(state, { type: "retried", client_message_id: "client-1" });
  assert.equal(state.outbox[0].state, "pending");
});

test("another epoch keeps me, people and outbox, and drops conversations", () => {
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

test("an unknown action throws", () => {
  assert.throws(() => reduce(initialState(), { type: "teleported" }), /unknown action/);
});

test("a read elsewhere without loaded history takes the count of the server, in any order of frames", () => {
  const room = { last_sequence: 5, unread_count: 5 };
  const upTo = { conversation_id: ROOM, up_to_sequence: 3 };
  const counts = { mention_count: 0, last_sequence: 5 };
  const count = frame({ type: "conversation_read", ...upTo, ...counts, unread_count: 2 });
  const receipt = frame({ type: "message_read", ...upTo, reader_id: ANA });
  for (const frames of [[count], [receipt, count], [count, receipt], [receipt, count, receipt, count]]) {
    assert.equal(run(withRoom(room), ...frames).conversations[ROOM].unread_count, 2);
  }
  const older = frame({ type: "conversation_read", ...upTo, ...counts, up_to_sequence: 2, unread_count: 3 });
  assert.equal(run(withRoom(room), receipt, count, older).conversations[ROOM].unread_count, 2);
});

const flags = { muted_until: null, notification_level: "all", pinned: false, archived: false };
const mine = (changes) => ({ last_read_sequence: 0, ...flags, ...changes });

test("my_place_updated changes own settings, but not role and read position", () => {
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

test("pinned conversations come first, archived ones are separate, and a search finds both", () => {
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

test("muted and archived conversations do not count in the title", () => {
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

test("the end of a mute is shown as a time today, as a date later, and not at all if it has none", () => {
  const now = new Date(2026, 0, 5, 12, 0);
  const at = (...when) => mutedLine(new Date(...when).toISOString(), now);
  assert.match(at(2026, 0, 5, 13, 30), /^Muted until \d+:30/);
  assert.match(at(2026, 0, 12, 12, 0), /^Muted until January 12, /);
  assert.match(at(2027, 0, 12, 12, 0), /^Muted until January 12, 2027, /);
  assert.equal(at(9999, 0, 1), "Muted until you unmute it");
});
