/**
 * The frame of the client: list and conversation side by side, or one after the other on a phone.
 *
 * The fragment of the address names the open conversation, so the back button of a phone works.
 * Drawing is batched: all state changes within a frame are drawn once. Lives here: layout,
 * navigation, title and redrawing. Does not live here: the content of the two halves.
 */
import { totalUnread } from "../state/selectors.js";
import { createConversationView } from "./conversation.js";
import { h, icon } from "./dom.js";
import { conversationInAddress, navigateToList, sequenceInAddress } from "./navigation.js";
import { createSidebar } from "./sidebar.js";

const HIDDEN_REDRAW_MS = 200;
const CLOCK_MS = 1_000;

function emptyPane() {
  return h(
    "div",
    { class: "empty-pane" },
    h("div", { class: "empty-mark" }, icon("mark")),
    h("p", {}, "Choose a conversation, or start a new one."),
  );
}

/**
 * Show the client in an element.
 * @param {HTMLElement} root
 * @param {object} app the parts that app.js has made
 */
export function showShell(root, app) {
  const { store } = app;
  const sidebar = createSidebar(app);
  const pane = h("main", { class: "pane" });
  const shell = h("div", { class: "shell" }, sidebar.element, pane);
  let view = null;
  let scheduled = false;
  /** The sequence in the address, until the open conversation can show it. */
  let goal = null;

  function draw() {
    scheduled = false;
    const { state } = store;
    const conversation = state.conversations[state.open];
    if (view && view.id !== conversation?.id) {
      view.leave();
      view = null;
    }
    const entering = conversation && !view;
    if (entering) {
      view = createConversationView(app, conversation.id);
      pane.replaceChildren(view.element);
    } else if (!view && !pane.querySelector(".empty-pane")) {
      pane.replaceChildren(emptyPane());
    }
    shell.dataset.screen = conversation ? "conversation" : "list";
    sidebar.draw(state);
    view?.draw(state);
    if (entering) view.entered();
    showGoal(state);
    const unread = totalUnread(state, Date.now());
    document.title = unread > 0 ? `(${unread}) Chatsite` : "Chatsite";
  }

  /** Show the message in the address, once there is a connection to load older pages. */
  function showGoal(state) {
    if (goal === null || !view || (state.link !== "online" && state.link !== "updating")) return;
    view.show(goal);
    goal = null;
  }

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    if (document.hidden) setTimeout(draw, HIDDEN_REDRAW_MS);
    else requestAnimationFrame(draw);
  }

  function follow() {
    const id = conversationInAddress();
    goal = sequenceInAddress();
    store.dispatch({ type: "opened", id });
    draw();
    if (!view) sidebar.focus();
  }

  /** Leave the address of a conversation that was removed, but not if all conversations are being loaded again. */
  function leaveMissing(state, previous) {
    const gone = state.complete && state.open && previous.conversations[state.open] && !state.conversations[state.open];
    if (gone) navigateToList();
  }

  root.replaceChildren(shell);
  store.subscribe((state, previous) => {
    schedule();
    leaveMissing(state, previous);
  });
  addEventListener("hashchange", follow);
  document.addEventListener("visibilitychange", schedule);
  setInterval(() => store.dispatch({ type: "clock", now: Date.now() }), CLOCK_MS);
  setInterval(schedule, 30 * CLOCK_MS);
  follow();
}
