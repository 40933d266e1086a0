/**
 * Web Push of this browser: turned on by the person, kept registered, and turned off.
 *
 * The browser is not asked for permission before the person presses the button. A key in storage
 * records that they did; it is removed with all other data when another user signs in. A
 * subscription without the key belongs to another user and is ended. Registering a subscription
 * again does no harm, so it is registered at each start.
 *
 * Lives here: permission, worker, subscription, and its registration with the server. Does not live
 * here: what a push shows (worker/).
 */
import { deviceFields, madeFor, subscribeOptions } from "./subscription.js";

const TURNED_ON = "chatsite.push";
const WORKER = "/service-worker.js";
const SCOPE = "/";
/** A push service that does not answer must not delay a sign-out for longer. */
const TIMEOUT_MS = 3_000;

/** An error with a message for the person. */
class PushError extends Error {}

/**
 * Create the control of Web Push.
 * @param {object} options
 * @param {object} options.api
 * @param {Storage} options.storage
 * @param {object} [options.surroundings] the browser's globals, or test doubles
 */
export function createPush({ api, storage, surroundings = globalThis }) {
  const { navigator, setTimeout } = surroundings;
  let publicKey;
  let registered = false;

  const supported = () =>
    Boolean(navigator.serviceWorker) && "PushManager" in surroundings && "Notification" in surroundings;
  const wanted = () => storage.getItem(TURNED_ON) !== null;

  async function askKey() {
    publicKey = (await api.vapidKey()).public_key;
    return publicKey;
  }

  async function existingRegistration() {
    return supported() ? navigator.serviceWorker.getRegistration(SCOPE) : undefined;
  }

  async function existingSubscription() {
    return (await (await existingRegistration())?.pushManager.getSubscription()) ?? null;
  }

  async function startWorker() {
    let registration;
    try {
      registration = await navigator.serviceWorker.register(WORKER, { type: "module", scope: SCOPE, updateViaCache: "none" });
    } catch {
      throw new PushError("This browser could not start the service worker for notifications.");
    }
    if (!registration.active) await activated(registration.installing ?? registration.waiting);
    return registration;
  }

  function activated(worker) {
    return new Promise((resolve, reject) => {
      worker.addEventListener("statechange", () => {
        if (worker.state === "activated") resolve();
        if (worker.state === "redundant") reject(new PushError("This browser could not start the service worker for notifications."));
      });
    });
  }

  /** Return the subscription for the server's key, a new one if the existing one is for another key. */
  async function subscribe(registration) {
    const existing = await registration.pushManager.getSubscription();
    if (existing && madeFor(existing, publicKey)) return existing;
    await existing?.unsubscribe();
    try {
      return await registration.pushManager.subscribe(subscribeOptions(publicKey));
    } catch (error) {
      if (error.name === "NotAllowedError") throw new PushError("The browser did not allow notifications.");
      throw new PushError("This browser's push service does not answer. It may be turned off in the browser's settings.");
    }
  }

  async function register() {
    const subscription = await subscribe(await startWorker());
    await api.registerDevice(deviceFields(subscription));
    storage.setItem(TURNED_ON, "1");
    registered = true;
  }

  /** Delete this subscription at the server; if that fails, the server learns of its end from the push service. */
  async function release() {
    registered = false;
    try {
      const subscription = await existingSubscription();
      if (subscription) await api.forgetDevice(subscription.endpoint);
    } catch {
      // The push service will report it.
    }
  }

  /** End the subscription here, and close shown notifications. */
  async function forget() {
    storage.removeItem(TURNED_ON);
    registered = false;
    const registration = await existingRegistration();
    if (!registration) return;
    for (const shown of await registration.getNotifications()) shown.close();
    await navigator.clearAppBadge?.().catch(() => {});
    await (await registration.pushManager.getSubscription())?.unsubscribe();
    await registration.unregister();
  }

  return {
    /**
     * Return the state: unsupported, blocked (by the browser), not_set_up (on the server), off or on.
     * Throws an ApiError if the server does not answer.
     */
    async state() {
      if (!supported()) return "unsupported";
      if (surroundings.Notification.permission === "denied") return "blocked";
      if (!(await askKey())) return "not_set_up";
      return wanted() && (await existingSubscription()) ? "on" : "off";
    },

    /** Turn it on, when a button is pressed: the browser may ask for permission. Throws an Error with a message for the person. */
    async turnOn() {
      // First, because browsers allow the question only directly after a press.
      const answer = await surroundings.Notification.requestPermission();
      if (answer === "denied") throw new PushError("This browser blocks notifications of this site.");
      if (answer !== "granted") throw new PushError("The browser's question was not answered, so nothing was turned on.");
      if (!(publicKey ?? (await askKey()))) throw new PushError("This server is not set up for it.");
      try {
        await register();
      } catch (error) {
        await forget().catch(() => {});
        throw error;
      }
    },

    /** Turn it off, here and at the server. */
    async turnOff() {
      await release();
      await forget();
    },

    /**
     * Register the existing subscription with the server, once for each start, and again when the worker asks for it.
     * Fails silently: it is tried again with the next connection.
     */
    async restore({ again = false } = {}) {
      if (registered && !again) return;
      try {
        if (!wanted()) {
          await forget();
          return;
        }
        if (!supported() || surroundings.Notification.permission !== "granted") return;
        if (await askKey()) await register();
      } catch {
        // The server or the push service is not available.
      }
    },

    release,

    /** End everything here within three seconds: the session has ended. */
    async leave() {
      const late = new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS));
      await Promise.race([forget().catch(() => {}), late]);
    },
  };
}
