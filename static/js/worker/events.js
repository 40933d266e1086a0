/**
 * The event handlers of the service worker.
 *
 * A worker has no memory: it is started for an event and may be stopped after it. So each handler
 * looks at the shown notifications and the open windows again. Nothing here may throw: a browser may
 * end the subscription after pushes that show nothing.
 *
 * Lives here: the effects. Does not live here: the decisions (decisions.js), and the listeners (main.js).
 */
import { deviceFields, madeFor, subscribeOptions } from "../subscription.js";
import { addressOf, decide, readOnes, readPayload, windowToFocus } from "./decisions.js";

const ANSWER_WITHIN_MS = 1500;

/**
 * Create the handlers of a worker.
 * @param {ServiceWorkerGlobalScope} scope or a test double
 */
export function createEvents(scope) {
  const { registration, clients, navigator } = scope;

  const windows = () => clients.matchAll({ type: "window", includeUncontrolled: true });

  /** Ask a window which conversation it shows; null if it does not answer. */
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
   * Run handlers one after the other: each depends on the shown notifications, and a browser may not yet list a
   * notification that is just being shown.
   */
  const inTurn = (act) => (given) => (doing = doing.then(() => act(given), () => act(given)));

  async function setBadge(number) {
    if (number === null || number === undefined) return;
    try {
      if (number > 0) await navigator.setAppBadge?.(number);
      else await navigator.clearAppBadge?.();
    } catch {
      // A page in a tab has no badge, and some browsers throw an error.
    }
  }

  async function act({ show, fleeting, reads, badge }, shown) {
    for (const one of readOnes(shown, reads)) one.close();
    if (show) await registration.showNotification(show.title, show.options);
    if (fleeting) {
      for (const one of await registration.getNotifications({ tag: show.options.tag })) one.close();
    }
    await setBadge(badge);
  }

  /** Handle a push: `data` is its PushMessageData, or null. */
  async function push(data) {
    let raw = "";
    let shown = [];
    let showing = null;
    try {
      raw = data?.text() ?? "";
      shown = await registration.getNotifications();
      showing = await conversationInSight();
    } catch {
      // Without this information the push is shown.
    }
    try {
      await act(decide(readPayload(raw), { shown, showing, userAgent: navigator.userAgent }), shown);
    } catch {
      // The permission was withdrawn: nothing can be shown.
    }
  }

  /** Handle a click on a notification. */
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
      // The browser refuses the focus; the window has opened the conversation anyway.
    }
  }

  /** Handle a page's message with its read positions and its number of unread messages. */
  async function pageMessage(message) {
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

  /** Handle the end or the replacement of the subscription. If it fails, the next start of a page repairs it. */
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
      // No network, or no permission.
    }
  }

  return { push: inTurn(push), click, pageMessage: inTurn(pageMessage), renew };
}
