/**
 * The decisions of the service worker about a push, a click and a message of a page, as pure functions.
 *
 * Lives here: parsing an untrusted payload; what to show, what to close, which window to use. Does not
 * live here: the effects (events.js).
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

/** Return the payload of a push; invalid fields are left out, and an invalid payload counts as a message. */
export function readPayload(raw) {
  let given = {};
  try {
    given = JSON.parse(raw) ?? {};
  } catch {
    // A push came, so something must be shown.
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
 * Return whether a browser allows a push that shows nothing: all except WebKit do, within limits.
 * WebKit ends the subscription after a few silent pushes.
 */
export function mayStaySilent(userAgent) {
  return /Firefox\/|Chrome\/|Chromium\//.test(userAgent);
}

function tagOf({ kind, conversation_id: id }) {
  if (kind === "test") return "test";
  return id ? `conversation ${id}` : "message";
}

/** Return the notification of a message or a test, in the form of `showNotification`. */
function notificationOf(payload) {
  const { kind, conversation_id, message_id, sequence } = payload;
  return {
    title: payload.title ?? (kind === "test" ? TEST_TITLE : GENERIC_TITLE),
    options: {
      body: payload.body ?? "",
      tag: tagOf(payload),
      // Without it a newer message of the same conversation would replace the older one silently.
      renotify: true,
      data: { conversation_id, message_id, sequence },
    },
  };
}

/** Return the newer notification again: a late push must not replace it, but something must be shown. */
function shownAgain({ title, body, tag, data }) {
  return { title, options: { body, tag, data, silent: true } };
}

/**
 * Decide what to do with a push.
 * @param {Payload} payload
 * @param {{shown: Notification[], showing: string|null, userAgent: string}} circumstances `shown` are the notifications
 *   already shown, `showing` is the conversation that a focused window of ours shows
 * @returns {{show: {title: string, options: object}|null, fleeting: boolean, reads: object, badge: number|null}}
 *   `fleeting`: close it at once; `reads`: see `readOnes`
 */
export function decide(payload, { shown, showing, userAgent }) {
  const { kind, conversation_id: id, sequence, badge } = payload;
  const silent = mayStaySilent(userAgent);
  if (kind === "sync") {
    const show = silent ? null : { title: GENERIC_TITLE, options: { tag: "sync", silent: true } };
    return { show, fleeting: show !== null, reads: id ? { [id]: sequence ?? Infinity } : {}, badge };
  }
  if (silent && kind === "message" && id && id === showing) return { show: null, fleeting: false, reads: {}, badge };
  const newer = shown.find((one) => one.tag === tagOf(payload) && one.data?.sequence > (sequence ?? Infinity));
  return { show: newer ? shownAgain(newer) : notificationOf(payload), fleeting: false, reads: {}, badge };
}

/**
 * Return the notifications about messages that were read.
 * @param {Notification[]} shown
 * @param {Object<string, number>} reads up to which sequence each conversation was read
 */
export function readOnes(shown, reads) {
  return shown.filter(({ data }) => {
    const position = data?.conversation_id ? reads[data.conversation_id] : undefined;
    return typeof position === "number" && (data.sequence ?? 0) <= position;
  });
}

/** Return the address that a click on a notification opens. */
export function addressOf(data) {
  const id = identifier(data?.conversation_id);
  return id ? `/#/c/${id}` : "/";
}

/** Return the window that a click brings to the front, or null: the focused one, else a visible one, else any. */
export function windowToFocus(windows) {
  const ours = windows.filter((one) => new URL(one.url).pathname === "/");
  return ours.find((one) => one.focused) ?? ours.find((one) => one.visibilityState === "visible") ?? ours[0] ?? null;
}
