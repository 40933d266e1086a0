/** The client's rule for events with a sequence: next, old, gap, and events during a repair. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { initialState, reduce } from "../../static/js/state/reducer.js";
import { shownMessages } from "../../static/js/state/timeline.js";
import { ANA, BEN, CLEO, OTHER_ROOM, ROOM, conversation, message, newMessage, participant } from "./builders.mjs";

function run(state, ...actions) {
  return actions.reduce(reduce, state);
}
const frame = (body) => ({ type: "frame_received", frame: body, now: 0 });
const signedIn = () => run(initialState(), { type: "signed_in", user: { id: ANA, username: "ana", display_name: "Ana" } });
const withRoom = (changes) => run(signedIn(), { type: "page_loaded", conversations: [conversation(changes)] });
const sequences = (state, id = ROOM) => shownMessages(state.timelines[id]).map((one) => one.sequence);

test("the next event is applied", () => {
  const state = run(withRoom(), frame(newMessage(1, BEN)));
  assert.equal(state.conversations[ROOM].last_sequence, 1);
  assert.equal(state.conversations[ROOM].unread_count, 1);
  assert.equal(state.conversations[ROOM].last_message.content, "text 1");
  assert.deepEqual(sequences(state), [1]);
});

test("an event with an old sequence leaves the same state object", () => {
  const state = run(withRoom(), frame(newMessage(1, BEN)));
  assert.equal(run(state, frame(newMessage(1, BEN, { content: "forged" }))), state);
});

test("an event of an unknown type advances the cursor", () => {
  const state = run(withRoom(), frame({ type: "moon_landed", conversation_id: ROOM, sequence: 1 }));
  assert.equal(state.conversations[ROOM].last_sequence, 1);
  const hidden = run(state, frame({ type: "event_hidden", conversation_id: ROOM, sequence: 2 }));
  assert.equal(hidden.conversations[ROOM].last_sequence, 2);
});

test("a gap opens a repair, and later events are applied after it", () => {
  let state = run(withRoom(), frame(newMessage(3, BEN)));
  assert.equal(state.repairs[ROOM].kind, "events");
  assert.equal(state.conversations[ROOM].last_sequence, 0);
  state = run(state, frame(newMessage(4, BEN)), {
    type: "events_loaded",
    id: ROOM,
    events: [newMessage(1, BEN), newMessage(2, ANA), newMessage(3, BEN)],
    has_more: false,
  });
  assert.deepEqual(sequences(state), [1, 2, 3, 4]);
  assert.equal(state.conversations[ROOM].unread_count, 3);
  assert.deepEqual(state.repairs, {});
});

test("a repair of several pages stays open until the last", () => {
  let state = run(withRoom(), frame(newMessage(3, BEN)));
  state = run(state, { type: "events_loaded", id: ROOM, events: [newMessage(1, BEN)], has_more: true });
  assert.ok(state.repairs[ROOM]);
  assert.equal(state.conversations[ROOM].last_sequence, 1);
});

test("a lost range turns the repair into a load", () => {
  let state = run(withRoom(), frame(newMessage(9, BEN)), { type: "range_lost", id: ROOM });
  assert.equal(state.repairs[ROOM].kind, "load");
  const body = conversation({ last_sequence: 8, unread_count: 5 });
  state = run(state, { type: "conversation_loaded", conversation: body });
  assert.equal(state.conversations[ROOM].last_sequence, 9);
  assert.equal(state.conversations[ROOM].unread_count, 6);
  assert.deepEqual(sequences(state), [9]);
});

test("events of an unknown conversation wait for its body", () => {
  let state = run(signedIn(), frame(newMessage(7, BEN)), frame(newMessage(8, BEN)));
  assert.equal(state.repairs[ROOM].kind, "load");
  state = run(state, { type: "conversation_loaded", conversation: conversation({ last_sequence: 7, unread_count: 1 }) });
  assert.equal(state.conversations[ROOM].last_sequence, 8);
  assert.equal(state.conversations[ROOM].unread_count, 2);
});

test("a receipt that arrives during a load is not lost", () => {
  const read = { type: "message_read", conversation_id: ROOM, up_to_sequence: 7, reader_id: BEN };
  const state = run(signedIn(), frame(newMessage(7, ANA)), frame(read), {
    type: "conversation_loaded",
    conversation: conversation({ last_sequence: 7 }),
  });
  assert.equal(state.conversations[ROOM].participants[1].last_read_sequence, 7);
});

test("the body in conversation_created needs no load", () => {
  const body = conversation({ last_sequence: 1 });
  const created = { type: "conversation_created", conversation_id: ROOM, sequence: 1, conversation: body };
  const state = run(signedIn(), frame(created), frame(newMessage(2, BEN)));
  assert.equal(state.conversations[ROOM].last_sequence, 2);
  assert.deepEqual(state.repairs, {});
});

test("a body never overwrites newer events of the log", () => {
  const state = run(withRoom(), frame(newMessage(1, BEN)));
  assert.equal(run(state, { type: "conversation_loaded", conversation: conversation() }), state);
  const ahead = run(state, { type: "conversation_loaded", conversation: conversation({ last_sequence: 5 }) });
  assert.equal(ahead.repairs[ROOM].kind, "events");
  assert.equal(ahead.conversations[ROOM].last_sequence, 1);
});

test("sync_complete drops missing conversations, loads new ones, and repairs those behind", () => {
  const state = run(
    withRoom({ last_sequence: 4 }),
    { type: "page_loaded", conversations: [conversation({ id: OTHER_ROOM })] },
    { type: "synced", heads: { [ROOM]: 6, third: 1 }, resync: [], asked: [ROOM, OTHER_ROOM], since: "t" },
  );
  assert.equal(state.conversations[OTHER_ROOM], undefined);
  assert.equal(state.repairs[ROOM].kind, "events");
  assert.equal(state.repairs.third.kind, "load");
  assert.equal(state.since, "t");
});

test("sync_complete keeps a conversation that was not in its cursors", () => {
  const state = run(withRoom(), { type: "synced", heads: {}, resync: [], asked: [], since: "t" });
  assert.ok(state.conversations[ROOM]);
});

test("resync replaces a conversation even by one with a lower head", () => {
  const state = run(
    withRoom({ last_sequence: 40, unread_count: 3 }),
    { type: "synced", heads: { [ROOM]: 12 }, resync: [ROOM], asked: [ROOM], since: "t" },
    { type: "conversation_loaded", conversation: conversation({ last_sequence: 12 }) },
  );
  assert.equal(state.conversations[ROOM].last_sequence, 12);
  assert.equal(state.timelines[ROOM].covers_from, 13);
});

test("edit and deletion change the message and the preview", () => {
  const state = run(withRoom(), frame(newMessage(1, BEN)));
  const edited = message(1, BEN, { content: "better", edited_at: "2026-01-01T00:01:00Z" });
  const after = run(state, frame({ type: "message_updated", conversation_id: ROOM, sequence: 2, message: edited }));
  assert.equal(after.conversations[ROOM].last_message.content, "better");
  assert.equal(after.conversations[ROOM].unread_count, 1);
  const gone = message(1, BEN, { content: "", deleted_at: "2026-01-01T00:02:00Z" });
  const deleted = run(after, frame({ type: "message_deleted", conversation_id: ROOM, sequence: 3, message: gone }));
  assert.ok(shownMessages(deleted.timelines[ROOM])[0].deleted_at);
  assert.equal(deleted.conversations[ROOM].unread_count, 0);
});

test("a removal drops the conversation; a removal from an unknown one changes nothing", () => {
  const removed = { type: "participant_removed", conversation_id: ROOM, sequence: 1, user_id: ANA };
  const state = run(withRoom(), frame(removed));
  assert.equal(state.conversations[ROOM], undefined);
  assert.equal(state.timelines[ROOM], undefined);
  assert.equal(run(state, frame(removed)), state);
});

test("participants are added, updated and removed", () => {
  let state = run(
    withRoom(),
    frame({ type: "participant_added", conversation_id: ROOM, sequence: 1, participant: participant(CLEO) }),
  );
  assert.equal(state.conversations[ROOM].participant_count, 3);
  assert.equal(state.people[CLEO].display_name, "C");
  state = run(
    state,
    frame({ type: "participant_updated", conversation_id: ROOM, sequence: 2, participant: participant(ANA, { role: "admin" }) }),
  );
  assert.equal(state.conversations[ROOM].participants[0].role, "admin");
  assert.equal(state.stale[ROOM], 2);
  const early = { type: "rights_loaded", id: ROOM, asked: 1, conversation: conversation() };
  assert.equal(run(state, early).stale[ROOM], 2, "rights requested before the change are requested again");
  state = run(state, {
    type: "rights_loaded",
    id: ROOM,
    asked: 2,
    conversation: conversation({ me: { role: "admin" }, my_permissions: ["add_participants"] }),
  });
  assert.deepEqual(state.conversations[ROOM].my_permissions, ["add_participants"]);
  assert.deepEqual(state.stale, {});
  state = run(state, frame({ type: "participant_removed", conversation_id: ROOM, sequence: 3, user_id: CLEO }));
  assert.equal(state.conversations[ROOM].participant_count, 2);
});

test("any loss of events ends in the state of the whole log", () => {
  const log = [newMessage(1, BEN), newMessage(2, ANA), newMessage(3, BEN), newMessage(4, BEN), newMessage(5, ANA)];
  const whole = run(withRoom(), ...log.map(frame));
  for (let mask = 0; mask < 2 ** log.length; mask += 1) {
    let state = withRoom();
    for (const [index, event] of log.entries()) {
      if (mask & (1 << index)) state = run(state, frame(event));
    }
    state = run(state, { type: "synced", heads: { [ROOM]: 5 }, resync: [], asked: [ROOM], since: "t" });
    while (state.repairs[ROOM]) {
      const mine = state.conversations[ROOM].last_sequence;
      state = run(state, { type: "events_loaded", id: ROOM, events: log.slice(mine, mine + 2), has_more: mine + 2 < 5 });
    }
    assert.deepEqual(state.conversations[ROOM], whole.conversations[ROOM], `mask ${mask}`);
    assert.deepEqual(state.timelines[ROOM], whole.timelines[ROOM], `mask ${mask}`);
  }
});
