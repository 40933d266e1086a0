/**
 * A browser's push subscription in the form of the protocol.
 *
 * Lives here: functions that both the page (push.js) and the service worker (worker/events.js) need. Does not
 * live here: when to subscribe.
 */

/** Return the bytes of a base64url text, the form in which the push API takes a server's key. */
export function keyBytes(text) {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** Return whether a subscription was made for this key of the server. */
export function madeFor(subscription, publicKey) {
  const existing = subscription.options?.applicationServerKey;
  if (!existing) return false;
  const [one, other] = [new Uint8Array(existing), keyBytes(publicKey)];
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** Return the options to subscribe with. */
export function subscribeOptions(publicKey) {
  return { userVisibleOnly: true, applicationServerKey: keyBytes(publicKey) };
}

/** Return the body of `POST /device-tokens` for a subscription. */
export function deviceFields(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  return { device_token: endpoint, platform: "web", keys: { p256dh: keys.p256dh, auth: keys.auth } };
}
