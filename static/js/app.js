/**
 * The web client's composition root: makes the parts, connects them, shows the first page.
 *
 * Lives here: the order of starting and stopping. Every other module gets its dependencies from
 * here and imports no instance of another module.
 */
import { api } from "./api.js";
import { createCache } from "./cache.js";
import { createConnection } from "./connection.js";
import { createHistory } from "./history.js";
import { createNotifications } from "./notifications.js";
import { createOutbox } from "./outbox.js";
import { createPush } from "./push.js";
import { createReceipts } from "./receipts.js";
import { createReplica } from "./replica.js";
import { beginSession, currentUser, endSession, wipeEverything } from "./session.js";
import { initialState, reduce } from "./state/reducer.js";
import { createStore } from "./store.js";
import { createTray } from "./tray.js";
import { createTyping } from "./typing.js";
import { navigateTo } from "./views/navigation.js";
import { showShell } from "./views/shell.js";
import { showSignIn } from "./views/sign_in.js";

const REVOKED = 4403;

const root = document.querySelector("#app");
const push = createPush({ api, storage: localStorage });
const socketUrl = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;

async function start(user) {
  const store = createStore(reduce, initialState());
  const cache = createCache({ store, owner: user.id });
  const snapshot = await cache.load();
  store.dispatch({ type: "signed_in", user });
  if (snapshot) store.dispatch({ type: "restored", snapshot: { ...snapshot, me: user } });

  const connection = createConnection({ url: socketUrl, onFrame, onLink, onStop });
  const outbox = createOutbox({ store, connection, api, storage: localStorage });
  const replica = createReplica({ store, connection, api });
  const receipts = createReceipts({ store, connection });
  const typing = createTyping({ connection });
  const history = createHistory({ store, api });
  const notifications = createNotifications({ store, api });
  createTray({ store, container: navigator.serviceWorker });
  let signingOut = false;
  const app = { store, api, connection, outbox, history, typing, notifications, push, signOut, profileChanged };

  function onFrame(frame) {
    if (frame.type === "connected" && frame.user_id !== user.id) {
      changeUser();
      return;
    }
    store.dispatch({ type: "frame_received", frame, now: Date.now() });
    for (const part of [replica, outbox, receipts, notifications]) part.frameReceived(frame);
    if (frame.type === "connected") push.restore();
  }

  /** Restart for another user, who has signed in in another tab: the cookie is theirs now. */
  async function changeUser() {
    connection.stop();
    cache.close();
    await beginSession(await api.me());
    location.reload();
  }

  function onLink(link) {
    for (const part of [replica, outbox, receipts, notifications]) part.linkChanged(link);
  }

  async function onStop(code) {
    // A sign-out here closes the socket, too; signOut() does the rest.
    if (signingOut) return;
    cache.close();
    if (code === REVOKED) {
      await wipeEverything();
      push.leave();
    }
    endSession();
    location.hash = "";
    showSignIn(root, { api, notice: "You have been signed out. Please sign in again." });
  }

  async function signOut() {
    signingOut = true;
    // Before the sign-out, while the request is still authenticated. If it fails, the sign-out ends the pushes.
    await push.release();
    try {
      await api.logout();
    } catch (error) {
      signingOut = false;
      push.restore();
      throw error;
    }
    connection.stop();
    cache.close();
    await push.leave();
    await wipeEverything();
    location.replace("/");
  }

  async function profileChanged(changed) {
    await beginSession(changed);
    store.dispatch({ type: "signed_in", user: currentUser() });
  }

  outbox.restore();
  cache.keep();
  showShell(root, app);
  connection.start();
  api.limits().then((limits) => store.dispatch({ type: "limits_loaded", limits }), () => {});

  navigator.serviceWorker?.addEventListener("message", ({ data, ports: [port] }) => {
    if (data?.type === "showing") port?.postMessage({ conversation_id: conversationInSight(store.state) });
    else if (data?.type === "register") push.restore({ again: true });
  });
  addEventListener("online", () => connection.wake());
  addEventListener("offline", () => connection.networkLost());
  addEventListener("focus", () => connection.wake());
  addEventListener("pagehide", () => cache.flush());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") connection.wake();
    else cache.flush();
  });
}

/** Return the conversation that this window shows up to date, or null: without a connection its state is old. */
function conversationInSight({ link, open }) {
  return document.visibilityState === "visible" && (link === "online" || link === "updating") ? open : null;
}

// Also while nobody is signed in: the address is used after the sign-in.
navigator.serviceWorker?.addEventListener("message", ({ data }) => {
  if (data?.type === "open") navigateTo(data.conversation_id);
});

const user = currentUser();
if (user) start(user);
else showSignIn(root, { api });
