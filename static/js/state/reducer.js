/**
 * The one reducer: every change of the client's state, as a pure function.
 *
 * It uses no DOM, no network, no clock and no storage; actions bring the time. Lives here: the
 * shape of the state and the list of actions. Does not live here: their details (the modules
 * beside this one).
 */
import { dropConversation } from "./events.js";
import { concernsLog, openRepair, receive, receiveBody, receiveHeads, receiveRange } from "./log.js";
import { noNotifications, receiveNotification, receiveNotificationPage, receiveNotificationsRead } from "./notifications.js";
import {
  acknowledgeEntry,
  addEntries,
  refuseEntry,
  removeEntry,
  reopenEntries,
  reviveEntry,
} from "./outgoing.js";
import { forgetTypists, putPeople, putPresence, putTyping } from "./people.js";
import { raiseOwnRead, takeCounts } from "./receipts.js";
import { prependPage, trimTimeline } from "./timeline.js";

/** The number of messages of a closed conversation that stay in memory and in the cache. */
export const KEPT_MESSAGES = 80;

/**
 * Return the state of a new client.
 * - link: connecting | updating | online | waiting | parked (another tab has the connection)
 * - epoch: of the log to which all data here belongs; since: server time of the last completed sync
 * - complete: the list was loaded once
 * - repairs: {id: {kind, buffered}}, see log.js; stale: {id: sequence} of the event after which rights and counts must be
 *   loaded again
 * - reads: {id: sequence} read here, not yet confirmed by the server
 * - quotes: {message_id: message | null} quoted messages outside the loaded history
 * - notifications: the list of who mentioned me, replied to me, added me, see notifications.js
 */
export function initialState() {
  return {
    me: null,
    link: "connecting",
    limits: { text_code_points: 10_000, edit_window_seconds: 900, mentions_per_message: 50 },
    epoch: null,
    since: null,
    complete: false,
    conversations: {},
    timelines: {},
    repairs: {},
    stale: {},
    reads: {},
    people: {},
    presence: {},
    typing: {},
    outbox: [],
    quotes: {},
    notifications: noNotifications(),
    open: null,
  };
}

/** Return the state in an epoch of the log; data of another epoch is dropped. */
function enterEpoch(state, epoch) {
  if (!epoch || epoch === state.epoch) return state;
  if (!state.epoch) return { ...state, epoch };
  const { since, complete, conversations, timelines, repairs, stale, reads, quotes } = initialState();
  const nothing = { since, complete, conversations, timelines, repairs, stale, reads, quotes };
  return { ...state, ...nothing, epoch, outbox: reopenEntries(state.outbox) };
}

const FRAMES = {
  message_ack: (state, frame) => {
    const cursor = state.conversations[frame.conversation_id]?.last_sequence ?? 0;
    return { ...state, outbox: acknowledgeEntry(state.outbox, frame, cursor) };
  },
  presence: (state, frame) => ({ ...state, presence: putPresence(state.presence, frame.user_id, frame) }),
  typing: (state, frame, now) =>
    frame.user_id === state.me.id ? state : { ...state, typing: putTyping(state.typing, frame, now) },
  notification: receiveNotification,
  notifications_read: receiveNotificationsRead,
  connected: (state, frame) => {
    const entered = enterEpoch(state, frame.epoch);
    return { ...entered, presence: {}, typing: {}, since: entered.since ?? frame.server_time };
  },
};

const ACTIONS = {
  signed_in: (state, { user }) => ({ ...state, me: user, people: putPeople(state.people, [user]) }),
  restored: (state, { snapshot }) => ({ ...state, ...snapshot }),
  link_changed: (state, { link }) => (state.link === link ? state : { ...state, link }),
  limits_loaded: (state, { limits }) => ({ ...state, limits: { ...state.limits, ...limits } }),
  frame_received: (state, { frame, now }) => {
    if (frame.type === "message_ack") return FRAMES.message_ack(state, frame);
    if (concernsLog(frame)) return receive(state, frame);
    return FRAMES[frame.type]?.(state, frame, now) ?? state;
  },
  epoch_began: (state, { epoch, since }) => ({ ...enterEpoch(state, epoch), since }),
  page_loaded: (state, { conversations }) => conversations.reduce(receiveBody, state),
  list_completed: (state) => ({ ...state, complete: true }),
  synced: (state, action) => ({ ...receiveHeads(state, action), since: action.since ?? state.since }),
  events_loaded: (state, { id, events, has_more }) => receiveRange(state, id, events, has_more),
  range_lost: (state, { id }) => openRepair(state, id, "load", []),
  conversation_loaded: (state, { conversation }) => receiveBody(state, conversation),
  conversation_missing: (state, { id }) => dropConversation(state, id),
  rights_loaded: (state, { id, asked, conversation }) => {
    const { [id]: wanted, ...others } = state.stale;
    const stale = wanted === asked ? others : state.stale;
    const existing = state.conversations[id];
    if (!existing || !conversation) return { ...state, stale };
    const { my_permissions, me } = conversation;
    const changed = { ...existing, my_permissions, me: { ...existing.me, role: me.role } };
    // The counts belong to the read position of the body.
    const fits = me.last_read_sequence === existing.me.last_read_sequence;
    const counted = fits ? takeCounts(changed, state.timelines[id], state.me.id, conversation) : changed;
    return { ...state, stale, conversations: { ...state.conversations, [id]: counted } };
  },
  history_loaded: (state, { id, page }) => {
    const timeline = state.timelines[id];
    if (!timeline) return state;
    return { ...state, timelines: { ...state.timelines, [id]: prependPage(timeline, page) } };
  },
  notifications_loaded: receiveNotificationPage,
  notifications_failed: (state, { error }) => ({ ...state, notifications: { ...state.notifications, error } }),
  quote_loaded: (state, { id, message }) => ({ ...state, quotes: { ...state.quotes, [id]: message } }),
  read_here: (state, { id, sequence }) => {
    const conversation = state.conversations[id];
    if (!conversation || sequence <= conversation.me.last_read_sequence) return state;
    const raised = raiseOwnRead(conversation, state.timelines[id], state.me.id, sequence);
    return {
      ...state,
      conversations: { ...state.conversations, [id]: raised },
      reads: { ...state.reads, [id]: sequence },
    };
  },
  reads_confirmed: (state, { reads }) => {
    const left = Object.entries(state.reads).filter(([id, sequence]) => !(reads[id] >= sequence));
    if (left.length === Object.keys(state.reads).length) return state;
    return { ...state, reads: Object.fromEntries(left) };
  },
  composed: (state, { entries }) => ({ ...state, outbox: addEntries(state.outbox, entries) }),
  refused: (state, { client_message_id, error }) => ({
    ...state,
    outbox: refuseEntry(state.outbox, client_message_id, error),
  }),
  retried: (state, { client_message_id }) => ({ ...state, outbox: reviveEntry(state.outbox, client_message_id) }),
  discarded: (state, { client_message_id }) => ({ ...state, outbox: removeEntry(state.outbox, client_message_id) }),
  person_loaded: (state, { user, presence }) => ({
    ...state,
    people: putPeople(state.people, [user]),
    presence: presence ? putPresence(state.presence, user.id, presence) : state.presence,
  }),
  opened: (state, { id }) => {
    if (state.open === id) return state;
    const left = state.timelines[state.open];
    const timelines = left
      ? { ...state.timelines, [state.open]: trimTimeline(left, KEPT_MESSAGES) }
      : state.timelines;
    return { ...state, open: id, timelines };
  },
  clock: (state, { now }) => {
    const typing = forgetTypists(state.typing, now);
    return typing === state.typing ? state : { ...state, typing };
  },
};

/** Return the state after an action. Throws for an unknown action. */
export function reduce(state, action) {
  const apply = ACTIONS[action.type];
  if (!apply) throw new Error(`unknown action: ${action.type}`);
  return apply(state, action);
}
