/**
 * The left half: my profile, the state of the connection, the filter, and my conversations.
 *
 * Lives here: that column. Does not live here: the dialogs that its buttons open.
 */
import { countArchived, isMuted, listRows, otherPerson, presenceOf } from "../state/selectors.js";
import { nameOf, previewLine, shortTime, typingLine } from "../wording.js";
import { avatar } from "./avatar.js";
import { h, icon, iconButton, reconcile, setText } from "./dom.js";
import { openNewConversation } from "./new_conversation.js";
import { conversationInAddress, navigateTo } from "./navigation.js";
import { createBell } from "./notification_panel.js";
import { openProfile } from "./profile.js";
import { ticks } from "./ticks.js";
import { othersWatermarks, statusOf } from "../state/receipts.js";
import { readDraft } from "../session.js";

const LINK_WORDS = {
  connecting: "Connecting…",
  waiting: "Waiting for network…",
  updating: "Updating…",
  parked: "Open in another tab",
  online: "",
};

/** Return the content of a row as plain values: it is redrawn when one of them changes. */
function rowOf(state, conversation) {
  const other = otherPerson(state, conversation);
  const last = conversation.last_message;
  const mine = last && last.sender_user_id === state.me.id && last.message_type !== "system" && !last.deleted_at;
  const typing = typingLine(state, conversation);
  const draft = state.open === conversation.id ? "" : readDraft(conversation.id);
  return {
    key: conversation.id,
    name: conversation.display_name,
    url: other?.avatar_url || conversation.avatar_url,
    avatarId: other?.id ?? conversation.id,
    group: conversation.type !== "direct",
    presence: other ? (presenceOf(state, other.id)?.status ?? null) : null,
    time: last ? shortTime(last.created_at) : "",
    delivery: mine && !draft ? statusOf(last, othersWatermarks(conversation, state.me.id)) : "",
    typing,
    draft,
    preview: previewLine(state, conversation),
    unread: conversation.unread_count,
    mentions: conversation.mention_count ?? 0,
    muted: isMuted(conversation, Date.now()),
    pinned: Boolean(conversation.me.pinned),
    current: state.open === conversation.id,
  };
}

const mark = (name, label) =>
  h("span", { class: "row-mark" }, icon(name), h("span", { class: "visually-hidden" }, label));

const sameRow = (one, other) => Object.keys(one).every((key) => one[key] === other[key]);

function fillRow(element, row) {
  const line = row.typing
    ? h("span", { class: "row-preview row-typing" }, `${row.typing}…`)
    : row.draft
      ? h("span", { class: "row-preview" }, h("span", { class: "row-draft" }, "Draft: "), row.draft)
      : h("span", { class: "row-preview" }, row.preview);
  const badge =
    row.unread > 0 &&
    h(
      "span",
      { class: row.muted ? "badge badge-muted" : "badge" },
      h("span", { "aria-hidden": "true" }, row.unread > 999 ? "999+" : String(row.unread)),
      h("span", { class: "visually-hidden" }, `${row.unread} unread`),
    );
  const mentioned =
    row.mentions > 0 &&
    h(
      "span",
      { class: "mention-badge" },
      h("span", { "aria-hidden": "true" }, "@"),
      h("span", { class: "visually-hidden" }, row.mentions === 1 ? "You are mentioned" : `You are mentioned ${row.mentions} times`),
    );
  const button = h(
    "button",
    {
      type: "button",
      class: "row",
      "aria-current": row.current ? "true" : null,
      on: { click: () => navigateTo(row.key) },
    },
    avatar({ id: row.avatarId, name: row.name, url: row.url, presence: row.presence, group: row.group }),
    h(
      "span",
      { class: "row-body" },
      h("span", { class: "row-top" }, h("span", { class: "row-name" }, row.name), row.muted && mark("muted", "Muted"), row.pinned && mark("bookmark", "Pinned"), row.delivery && ticks(row.delivery), h("span", { class: "row-time" }, row.time)),
      h("span", { class: "row-bottom" }, line, mentioned, badge),
    ),
  );
  const focused = element.contains(document.activeElement);
  element.replaceChildren(button);
  if (focused) button.focus();
}

function moveFocus(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const rows = [...event.currentTarget.querySelectorAll(".row")];
  const next = rows[rows.indexOf(document.activeElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** Create the sidebar. */
export function createSidebar(app) {
  let filter = "";
  let archived = false;
  const face = h("span", { class: "my-face" });
  const meButton = h("button", { type: "button", class: "me-button", "aria-label": "My profile", on: { click: () => openProfile(app) } }, face);
  const bell = createBell(app);
  const title = h("h1", { class: "sidebar-title" }, "Chats");
  const link = h("span", { class: "link-state", role: "status" });
  const search = h("input", { type: "search", class: "search-input", placeholder: "Search", "aria-label": "Search conversations", autocomplete: "off" });
  const list = h("ul", { class: "conversation-list", "aria-label": "Conversations", on: { keydown: moveFocus } });
  const turn = h("button", { type: "button", class: "archive-turn", hidden: true, on: { click: turnPage } });
  const nothing = h("p", { class: "list-note", hidden: true });
  const element = h(
    "nav",
    { class: "sidebar", "aria-label": "Conversations" },
    h(
      "header",
      { class: "sidebar-header" },
      meButton,
      h("div", { class: "sidebar-heading" }, title, link),
      bell.element,
      iconButton("compose", "New conversation", () => openNewConversation(app), "new-conversation"),
    ),
    h("div", { class: "search" }, icon("search"), search),
    h("div", { class: "sidebar-scroll" }, list, nothing, turn),
  );
  let shownMe = null;

  search.addEventListener("input", () => {
    filter = search.value;
    draw(app.store.state);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = filter = "";
      draw(app.store.state);
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      list.querySelector(".row")?.focus();
    }
  });

  function noteWithoutRows(state) {
    if (filter) return "Nothing found.";
    if (!state.complete) return "Loading…";
    if (countArchived(state) > 0) return "All chats are archived.";
    return "No conversations yet. Start one with the button above.";
  }

  /** Switch between the list and the archive. */
  function turnPage() {
    archived = !archived;
    draw(app.store.state);
    (list.querySelector(".row") ?? turn).focus();
  }

  function drawTurn(state) {
    const count = countArchived(state);
    archived &&= count > 0;
    turn.hidden = count === 0 || filter.trim() !== "";
    setText(turn, archived ? "Back to all chats" : `Archived (${count})`);
  }

  function drawMe(state) {
    if (shownMe === state.me) return;
    shownMe = state.me;
    const { id, avatar_url: url } = state.me;
    face.replaceChildren(avatar({ id, name: nameOf(state, id, state.me.display_name || state.me.username), url, size: "small" }));
  }

  function draw(state) {
    drawMe(state);
    bell.draw(state);
    setText(link, LINK_WORDS[state.link]);
    element.dataset.link = state.link;
    drawTurn(state);
    const rows = listRows(state, filter, archived).map((one) => rowOf(state, one));
    reconcile(
      list,
      rows,
      (row) => {
        const item = h("li", { dataset: { conversationId: row.key } });
        fillRow(item, row);
        return item;
      },
      (item, row, previous) => {
        if (!sameRow(row, previous)) fillRow(item, row);
      },
    );
    nothing.hidden = rows.length > 0;
    setText(nothing, noteWithoutRows(state));
  }

  return {
    element,
    draw,
    /** Return the focus to the list. */
    focus() {
      const last = conversationInAddress();
      const row = last && list.querySelector(`[data-conversation-id="${CSS.escape(last)}"] .row`);
      (row ?? list.querySelector(".row"))?.focus({ preventScroll: true });
    },
  };
}
