/**
 * The frame of the client: list and conversation side by side, or one after the other on a phone.
 *
 * The address's fragment names the open conversation, so the back button of a phone works. Drawing
 * is gathered: any number of state changes within a frame are drawn once. Lives here: layout,
 * navigation, title and redrawing. Does not live here: what the two halves show.
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
 * @param {object} app what app.js has put together
 */
export function showShell(root, app) {
  const { store } = app;
  const sidebar = createSidebar(app);
  const pane = h("main", { class: "pane" });
  const shell = h("div", { class: "shell" }, sidebar.element, pane);
  let view = null;
  let scheduled = false;
  /** The sequence that the address asks for, until the open conversation can be asked to show it. */
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

  /** Older pages can be loaded only with a connection. */
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

  /** A conversation that was taken away leaves no address behind; one that is being loaded anew with all others does. */
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
