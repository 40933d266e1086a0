/**
 * What the service worker does when it is woken.
 *
 * A worker has no memory: it is started for an event and may be ended after it. So everything is
 * asked anew, of the notifications that are shown and of the windows that are open. Nothing here
 * may throw: a push that shows nothing costs the trust of the browser.
 *
 * Lives here: the acts. Does not live here: which ones (decisions.js), and listening (main.js).
 */
import { deviceFields, madeFor, subscribeOptions } from "../subscription.js";
import { addressOf, decide, readOnes, readPayload, windowToFocus } from "./decisions.js";

const ANSWER_WITHIN_MS = 1500;

/**
 * Create the acts of a worker.
 * @param {ServiceWorkerGlobalScope} scope or what tests give for it
 */
export function createEvents(scope) {
  const { registration, clients, navigator } = scope;

  const windows = () => clients.matchAll({ type: "window", includeUncontrolled: true });

  /** Ask a window which conversation it shows; one that does not answer shows none. */
  function ask(client) {
    return new Promise((resolve) => {
      const { port1, port2 } = new scope.MessageChannel();
      const end = (answer) => {
        scope.clearTimeout(timer);
        port1.close();
        resolve(answer);
      };
      const timer = scope.setTimeout(() => end(null), ANSWER_WITHIN_MS);
      port1.onmessage = ({ data }) => end(data?.conversation_id ?? null);
      client.postMessage({ type: "showing" }, [port2]);
    });
  }

  async function conversationInSight() {
    const focused = (await windows()).find((one) => one.focused);
    return focused ? ask(focused) : null;
  }

  let doing = Promise.resolve();

  /**
   * Let an act wait for those before it. What is to be shown depends on what is shown, and a browser may not tell of a
   * notification that is just being shown.
   */
  const inTurn = (act) => (given) => (doing = doing.then(() => act(given), () => act(given)));

  async function setBadge(number) {
    if (number === null || number === undefined) return;
    try {
      if (number > 0) await navigator.setAppBadge?.(number);
      else await navigator.clearAppBadge?.();
    } catch {
      // A page in a tab has no badge, and some browsers say so by an error.
    }
  }

  async function act({ show, fleeting, reads, badge }, held) {
    for (const one of readOnes(held, reads)) one.close();
    if (show) await registration.showNotification(show.title, show.options);
    if (fleeting) {
      for (const one of await registration.getNotifications({ tag: show.options.tag })) one.close();
    }
    await setBadge(badge);
  }

  /** A push has come: `data` is its PushMessageData, or null. */
  async function push(data) {
    let raw = "";
    let held = [];
    let showing = null;
    try {
      raw = data?.text() ?? "";
      held = await registration.getNotifications();
      showing = await conversationInSight();
    } catch {
      // What could not be found out is taken for nothing: then the push is shown.
    }
    try {
      await act(decide(readPayload(raw), { held, showing, userAgent: navigator.userAgent }), held);
    } catch {
      // The permission was taken back: nothing can be shown, and nobody waits for it.
    }
  }

  /** Somebody clicked on a notification. */
  async function click(notification) {
    notification.close();
    const { data } = notification;
    const chosen = windowToFocus(await windows());
    if (!chosen) {
      await clients.openWindow(addressOf(data));
      return;
    }
    if (data?.conversation_id) chosen.postMessage({ type: "open", conversation_id: data.conversation_id });
    try {
      await chosen.focus();
    } catch {
      // The browser does not let this window come to the front; it has opened the conversation all the same.
    }
  }

  /** A page says up to where conversations were read, and how many messages are unread now. */
  async function told(message) {
    if (message?.type !== "read") return;
    await act({ show: null, fleeting: false, reads: message.reads ?? {}, badge: message.badge }, await registration.getNotifications());
  }

  async function csrfToken() {
    return (await scope.cookieStore?.get("csrftoken"))?.value ?? null;
  }

  async function register(subscription) {
    const token = await csrfToken();
    if (!token) return "not sent";
    const answer = await scope.fetch("/api/v1/device-tokens", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      body: JSON.stringify(deviceFields(subscription)),
      credentials: "same-origin",
    });
    return answer.status === 401 ? "signed out" : answer.ok ? "registered" : "not sent";
  }

  /** The browser ended the subscription, or put another in its place. What fails is mended by the next start of a page. */
  async function renew({ newSubscription }) {
    try {
      const asked = await scope.fetch("/api/v1/notifications/vapid-key", { credentials: "same-origin" });
      const key = asked.ok ? (await asked.json()).public_key : null;
      if (!key) return;
      const kept = newSubscription && madeFor(newSubscription, key) ? newSubscription : null;
      const subscription = kept ?? (await registration.pushManager.subscribe(subscribeOptions(key)));
      const outcome = await register(subscription);
      if (outcome === "signed out") await subscription.unsubscribe();
      if (outcome !== "not sent") return;
      for (const one of await windows()) one.postMessage({ type: "register" });
    } catch {
      // No network, or no permission any more.
    }
  }

  return { push: inTurn(push), click, told: inTurn(told), renew };
}
