/**
 * The scrolling history of a conversation.
 *
 * The view keeps the scroll position itself, because browsers differ in scroll anchoring: before a
 * change it remembers whether it was at the bottom, or else the first visible item and its offset;
 * afterwards it restores that. It scrolls to new messages only if the reader is at the bottom or has
 * just written. Lives here: that, loading older pages, read positions and the announcement of new
 * messages. Does not live here: elements (message.js).
 */
import { count, messageLine, nameOf } from "../wording.js";
import { h, icon, reconcile, setText } from "./dom.js";
import { createItem, updateItem } from "./message.js";
import { messageItems } from "./message_items.js";
import { listenToPointers } from "./message_pointers.js";
import { showToast } from "./toast.js";

const AT_BOTTOM_PX = 48;
const LOAD_OLDER_PX = 600;
const SMOOTH_WITHIN_SCREENS = 4;
const HIGHLIGHT_MS = 1_600;

/** Create the message list of a conversation. */
export function createMessageList(app, id, actions) {
  const { store, history } = app;
  const items = h("ol", { class: "messages" });
  const spinner = h("div", { class: "older", "aria-hidden": "true" }, h("span", { class: "spinner" }));
  const scroller = h("div", { class: "scroller", tabindex: "-1" }, spinner, items);
  const pillText = h("span");
  const pill = h("button", { type: "button", class: "pill", hidden: true, on: { click: () => toBottom(true) } }, icon("down"), pillText);
  const announcer = h("div", { class: "visually-hidden", role: "log", "aria-live": "polite" });
  const element = h("div", { class: "message-area" }, scroller, pill, announcer);

  const opened = store.state.conversations[id];
  const unreadAfter = opened.unread_count > 0 ? opened.me.last_read_sequence : null;
  let shown = [];
  let placed = false;
  let stuck = true;
  let announcedUpTo = opened.last_sequence;

  const atBottom = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_BOTTOM_PX;

  function toBottom(gently = false) {
    stuck = true;
    const near = scroller.scrollHeight - scroller.scrollTop < SMOOTH_WITHIN_SCREENS * scroller.clientHeight;
    scroller.scrollTo({ top: scroller.scrollHeight, behavior: gently && near ? "smooth" : "instant" });
  }

  /** Restore the offset of an item, if it changed: a needless assignment would end a smooth scroll. */
  function restore({ element, offset }) {
    const place = element.offsetTop - offset;
    if (element.isConnected && Math.abs(scroller.scrollTop - place) >= 1) scroller.scrollTop = place;
  }

  /** Return the first visible item and its distance from the upper edge. */
  function anchor() {
    for (const element of items.children) {
      if (element.offsetTop + element.offsetHeight > scroller.scrollTop) {
        return { element, offset: element.offsetTop - scroller.scrollTop };
      }
    }
    return null;
  }

  function placeFirst() {
    placed = true;
    const line = items.querySelector(".unread-line");
    if (line) {
      scroller.scrollTop = line.offsetTop - scroller.clientHeight / 4;
      stuck = atBottom();
    } else toBottom();
  }

  function draw(state) {
    const before = stuck ? null : anchor();
    const newestBefore = newestOwnKey(shown);
    shown = itemsOf(state);
    const wroteMyself = placed && newestOwnKey(shown) !== newestBefore;
    reconcile(items, shown, createItem, updateItem);
    const timeline = state.timelines[id];
    spinner.hidden = timeline.loaded && !timeline.has_more;
    if (!placed && timeline.loaded) placeFirst();
    else if (stuck || wroteMyself) toBottom();
    else if (before) restore(before);
    announce(state);
    settle();
  }

  function itemsOf(state) {
    const next = messageItems(state, id, { unreadAfter, offersAny: actions.offersAny });
    for (const { quote } of next) {
      if (quote?.missing) history.loadQuote(quote.id);
    }
    return next;
  }

  /** After drawing or scrolling: update the pill and the read position, and load the next older page. */
  function settle() {
    const { state } = store;
    const conversation = state.conversations[id];
    const timeline = state.timelines[id];
    if (!conversation) return;
    markRead(conversation, timeline);
    pill.hidden = atBottom();
    const unread = store.state.conversations[id].unread_count;
    setText(pillText, unread > 0 ? count(unread, "new message") : "");
    pill.setAttribute("aria-label", unread > 0 ? `Go to ${count(unread, "new message")}` : "Go to the newest message");
    const wantsOlder = !timeline.loaded || (timeline.has_more && scroller.scrollTop < LOAD_OLDER_PX);
    if (wantsOlder && (state.link === "online" || state.link === "updating")) history.loadOlder(id);
  }

  function markRead(conversation, timeline) {
    if (document.visibilityState !== "visible" || !placed || !timeline.loaded) return;
    if (conversation.foreign_sequence <= conversation.me.last_read_sequence) return;
    const sequence = atBottom() ? conversation.foreign_sequence : newestInView();
    if (sequence > 0) store.dispatch({ type: "read_here", id, sequence });
  }

  function newestInView() {
    const edge = scroller.scrollTop + scroller.clientHeight;
    for (let element = items.lastElementChild; element; element = element.previousElementSibling) {
      const seen = element.offsetTop + element.offsetHeight <= edge + AT_BOTTOM_PX / 2;
      if (seen && Number(element.dataset.sequence) > 0) return Number(element.dataset.sequence);
    }
    return 0;
  }

  function announce(state) {
    const fresh = shown.filter(({ message, mine }) => message?.sequence > announcedUpTo && !mine);
    if (fresh.length === 0) return;
    announcedUpTo = Math.max(...fresh.map(({ message }) => message.sequence));
    const lines = fresh.map(({ message }) =>
      message.sender_user_id ? `${nameOf(state, message.sender_user_id)}: ${messageLine(state, message)}` : messageLine(state, message),
    );
    announcer.replaceChildren(...lines.map((line) => h("p", {}, line)));
  }

  async function showQuoted(messageId) {
    const quoted = store.state.quotes[messageId];
    if (quoted) await history.reach(id, quoted.sequence);
    draw(store.state);
    const target = items.querySelector(`[data-message-id="${CSS.escape(messageId)}"]`);
    if (!target) return;
    stuck = false;
    target.scrollIntoView({ block: "center", behavior: "smooth" });
    target.classList.add("highlight");
    setTimeout(() => target.classList.remove("highlight"), HIGHLIGHT_MS);
  }

  /** Show a message anywhere in the history, without smooth scrolling, which would take long. */
  async function showSequence(sequence) {
    await history.reach(id, sequence);
    if (!element.isConnected || !store.state.conversations[id]) return;
    draw(store.state);
    const { key } = shown.find(({ message }) => message?.sequence === sequence) ?? {};
    const target = key && items.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!target) {
      showToast("That message cannot be shown.");
      return;
    }
    stuck = false;
    target.scrollIntoView({ block: "center", behavior: "instant" });
    target.classList.add("highlight");
    setTimeout(() => target.classList.remove("highlight"), HIGHLIGHT_MS);
  }

  function bubbleOf(element) {
    return shown.find((item) => item.key === element?.closest("li")?.dataset.key && item.form === "bubble");
  }

  listenToPointers(items, {
    onMenu: (target, point) => {
      const bubble = bubbleOf(target);
      if (bubble) actions.openMenu(bubble, point);
    },
    onQuote: showQuoted,
    onReply: (target) => {
      const bubble = bubbleOf(target);
      if (bubble?.message.sequence && bubble.hasMenu) actions.reply(bubble.message);
    },
  });
  scroller.addEventListener(
    "scroll",
    () => {
      stuck = atBottom();
      settle();
    },
    { passive: true },
  );
  const resized = new ResizeObserver(() => {
    if (stuck) toBottom();
  });
  resized.observe(scroller);
  const seen = () => settle();
  document.addEventListener("visibilitychange", seen);

  return {
    element,
    draw,
    entered: () => settle(),
    show: showSequence,
    leave() {
      resized.disconnect();
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

function newestOwnKey(items) {
  return items.findLast((item) => item.mine)?.key;
}
