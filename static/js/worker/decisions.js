/**
 * What the service worker does with a push, a click and the word of a page: pure decisions.
 *
 * Lives here: reading a payload that may be anything, what is shown, what is closed, which window is
 * told. Does not live here: doing it (events.js).
 *
 * @typedef {{kind: string, conversation_id: string|null, message_id: string|null, sequence: number|null,
 *   badge: number|null, title: string|null, body: string|null}} Payload
 */

const GENERIC_TITLE = "New message";
const TEST_TITLE = "Chatsite: test";
const IDENTIFIER = /^[0-9a-f-]{36}$/;
const TITLE_LENGTH = 200;
const BODY_LENGTH = 1_000;

const text = (value, most) => (typeof value === "string" && value.trim() !== "" ? value.slice(0, most) : null);
const identifier = (value) => (typeof value === "string" && IDENTIFIER.test(value) ? value : null);
const wholeNumber = (value) => (/^\d{1,15}$/.test(String(value ?? "")) ? Number(value) : null);

/** Return the payload of a push; what is not understood is left out, and nothing at all is a message. */
export function readPayload(raw) {
  let given = {};
  try {
    given = JSON.parse(raw) ?? {};
  } catch {
    // Something has come, so something is shown.
  }
  return {
    kind: given.kind === "sync" || given.kind === "test" ? given.kind : "message",
    conversation_id: identifier(given.conversation_id),
    message_id: identifier(given.message_id),
    sequence: wholeNumber(given.sequence),
    badge: wholeNumber(given.badge),
    title: text(given.title, TITLE_LENGTH),
    body: text(given.body, BODY_LENGTH),
  };
}

/**
 * Say whether a browser takes a push that shows nothing: all but WebKit do, within bounds of their own.
 * WebKit ends the subscription of a worker that stayed silent a few times.
 */
export function mayStaySilent(userAgent) {
  return /Firefox\/|Chrome\/|Chromium\//.test(userAgent);
}

function tagOf({ kind, conversation_id: id }) {
  if (kind === "test") return "test";
  return id ? `conversation ${id}` : "message";
}

/** What is shown for a message or a test, in the form that `showNotification` takes. */
function notificationOf(payload) {
  const { kind, conversation_id, message_id, sequence } = payload;
  return {
    title: payload.title ?? (kind === "test" ? TEST_TITLE : GENERIC_TITLE),
    options: {
      body: payload.body ?? "",
      tag: tagOf(payload),
      // Without it a newer message of the same conversation would take the place of the older one without a sound.
      renotify: true,
      data: { conversation_id, message_id, sequence },
    },
  };
}

/** The newer one again: a push that was overtaken on its way must not hide it, but something has to be shown. */
function shownAgain({ title, body, tag, data }) {
  return { title, options: { body, tag, data, silent: true } };
}

/**
 * Return what follows from a push.
 * @param {Payload} payload
 * @param {{held: Notification[], showing: string|null, userAgent: string}} circumstances `held` is what is shown
 *   already, `showing` the conversation that a focused window of ours shows
 * @returns {{show: {title: string, options: object}|null, fleeting: boolean, reads: object, badge: number|null}}
 *   `fleeting`: take it away at once; `reads`: see `readOnes`
 */
export function decide(payload, { held, showing, userAgent }) {
  const { kind, conversation_id: id, sequence, badge } = payload;
  const silent = mayStaySilent(userAgent);
  if (kind === "sync") {
    const show = silent ? null : { title: GENERIC_TITLE, options: { tag: "sync", silent: true } };
    return { show, fleeting: show !== null, reads: id ? { [id]: sequence ?? Infinity } : {}, badge };
  }
  if (silent && kind === "message" && id && id === showing) return { show: null, fleeting: false, reads: {}, badge };
  const newer = held.find((one) => one.tag === tagOf(payload) && one.data?.sequence > (sequence ?? Infinity));
  return { show: newer ? shownAgain(newer) : notificationOf(payload), fleeting: false, reads: {}, badge };
}

/**
 * Return the notifications about messages that were read.
 * @param {Notification[]} held
 * @param {Object<string, number>} reads up to which sequence each conversation was read
 */
export function readOnes(held, reads) {
  return held.filter(({ data }) => {
    const mark = data?.conversation_id ? reads[data.conversation_id] : undefined;
    return typeof mark === "number" && (data.sequence ?? 0) <= mark;
  });
}

/** Return the address that a notification leads to. */
export function addressOf(data) {
  const id = identifier(data?.conversation_id);
  return id ? `/#/c/${id}` : "/";
}

/** Return the window that a click brings to the front, or null: the focused one, else one in sight, else any. */
export function windowToFocus(windows) {
  const ours = windows.filter((one) => new URL(one.url).pathname === "/");
  return ours.find((one) => one.focused) ?? ours.find((one) => one.visibilityState === "visible") ?? ours[0] ?? null;
}
