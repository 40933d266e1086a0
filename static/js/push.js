/**
 * Web Push of this browser: turned on by its person, kept registered, and turned off.
 *
 * Nothing is asked of the browser before somebody presses the button. That they did so is kept under
 * one key, which goes with everything else when another user signs in: a subscription without the
 * key is somebody else's, and ends. The server may be told of the same subscription any number of
 * times, so it is told at each start.
 *
 * Lives here: permission, worker, subscription, and telling the server. Does not live here: what a
 * push shows (worker/).
 */
import { deviceFields, madeFor, subscribeOptions } from "./subscription.js";

const TURNED_ON = "chatsite.push";
const WORKER = "/service-worker.js";
const SCOPE = "/";
/** A push service that does not answer must not keep anybody signed in. */
const PATIENCE_MS = 3_000;

/** What went wrong, in words for the person. */
class PushError extends Error {}

/**
 * Create it.
 * @param {object} options
 * @param {object} options.api
 * @param {Storage} options.storage
 * @param {object} [options.surroundings] the browser, or what tests give for it
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

  async function heldRegistration() {
    return supported() ? navigator.serviceWorker.getRegistration(SCOPE) : undefined;
  }

  async function heldSubscription() {
    return (await (await heldRegistration())?.pushManager.getSubscription()) ?? null;
  }

  async function startWorker() {
    let registration;
    try {
      registration = await navigator.serviceWorker.register(WORKER, { type: "module", scope: SCOPE, updateViaCache: "none" });
    } catch {
      throw new PushError("This browser could not start what shows notifications.");
    }
    if (!registration.active) await activated(registration.installing ?? registration.waiting);
    return registration;
  }

  function activated(worker) {
    return new Promise((resolve, reject) => {
      worker.addEventListener("statechange", () => {
        if (worker.state === "activated") resolve();
        if (worker.state === "redundant") reject(new PushError("This browser could not start what shows notifications."));
      });
    });
  }

  /** Return the subscription for the server's key; one for an older key can receive nothing any more. */
  async function subscribe(registration) {
    const held = await registration.pushManager.getSubscription();
    if (held && madeFor(held, publicKey)) return held;
    await held?.unsubscribe();
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

  /** Tell the server that this subscription is over; where that fails it learns so from the push service. */
  async function release() {
    registered = false;
    try {
      const subscription = await heldSubscription();
      if (subscription) await api.forgetDevice(subscription.endpoint);
    } catch {
      // See above.
    }
  }

  /** End the subscription here, and take away what is shown. */
  async function forget() {
    storage.removeItem(TURNED_ON);
    registered = false;
    const registration = await heldRegistration();
    if (!registration) return;
    for (const shown of await registration.getNotifications()) shown.close();
    await navigator.clearAppBadge?.().catch(() => {});
    await (await registration.pushManager.getSubscription())?.unsubscribe();
    await registration.unregister();
  }

  return {
    /**
     * Return how it stands here: unsupported, blocked (by the browser), not_set_up (on the server), off or on.
     * Throws what the server's silence throws.
     */
    async state() {
      if (!supported()) return "unsupported";
      if (surroundings.Notification.permission === "denied") return "blocked";
      if (!(await askKey())) return "not_set_up";
      return wanted() && (await heldSubscription()) ? "on" : "off";
    },

    /** Turn it on, in answer to a press of a button: the browser may ask its person. Throws an Error with words for them. */
    async turnOn() {
      // First of all: browsers let only a fresh press ask.
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
     * Tell the server of the subscription that there is, once for each start, and again when the worker asks for it.
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
        // The server is away, or the push service is.
      }
    },

    release,

    /** End everything here within three seconds: the session is over. */
    async leave() {
      const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
      await Promise.race([forget().catch(() => {}), late]);
    },
  };
}
