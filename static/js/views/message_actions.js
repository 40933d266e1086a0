/**
 * The actions of a message, and its menu.
 *
 * Lives here: which actions a message has, the menu and the requests. Does not live here: replies and
 * edits (composer.js).
 */
import { may, mayDelete, mayEdit } from "../state/selectors.js";
import { askToConfirm } from "./dialog.js";
import { h, icon } from "./dom.js";
import { reportFailure, showToast } from "./toast.js";

const MARGIN = 8;

function moveFocus(event) {
  const items = [...event.currentTarget.querySelectorAll("[role=menuitem]")];
  const index = items.indexOf(document.activeElement);
  const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  items.at(to % items.length).focus();
}

/** Place the menu at a point, inside the window. */
function place(menu, { x, y }) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.max(MARGIN, Math.min(x, innerWidth - width - MARGIN));
  const top = y + height + MARGIN > innerHeight ? Math.max(MARGIN, y - height) : y;
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
}

/** Create the actions for the messages of a conversation. */
export function createMessageActions(app, id, composer) {
  const { store, api, outbox } = app;

  async function remove(message) {
    const confirmed = await askToConfirm({
      title: "Delete message?",
      text: "It will be deleted for everyone in this conversation.",
      action: "Delete",
      danger: true,
    });
    if (confirmed) await reportFailure(() => api.deleteMessage(message.id));
  }

  async function copy(message) {
    await navigator.clipboard.writeText(message.content);
    showToast("Copied");
  }

  function actionsFor({ message, entry }) {
    const { state } = store;
    if (entry) {
      if (entry.state !== "failed") return [];
      return [
        ["retry", "Try again", () => outbox.retry(entry)],
        ["trash", "Discard", () => outbox.discard(entry), "danger"],
      ];
    }
    const writable = may(state.conversations[id], "send_messages");
    const actions = [];
    if (message.deleted_at || message.message_type === "system") return actions;
    if (writable) actions.push(["reply", "Reply", () => composer.replyTo(message)]);
    if (message.content && navigator.clipboard) actions.push(["copy", "Copy text", () => copy(message)]);
    if (writable && mayEdit(state, message, Date.now())) actions.push(["edit", "Edit", () => composer.edit(message)]);
    if (mayDelete(state, message)) actions.push(["trash", "Delete for everyone", () => remove(message), "danger"]);
    return actions;
  }

  function openMenu(bubble, point) {
    const actions = actionsFor(bubble);
    if (actions.length === 0) return;
    const items = actions.map(([name, label, act, kind]) =>
      h(
        "button",
        {
          type: "button",
          role: "menuitem",
          class: kind === "danger" ? "menu-item menu-danger" : "menu-item",
          on: {
            click: () => {
              menu.hidePopover();
              act();
            },
          },
        },
        icon(name),
        label,
      ),
    );
    const menu = h("div", { class: "menu", role: "menu", popover: "auto", "aria-label": "Message", on: { keydown: moveFocus } }, ...items);
    menu.addEventListener("toggle", (event) => {
      if (event.newState === "closed") menu.remove();
    });
    document.body.append(menu);
    menu.showPopover();
    place(menu, point);
    items[0].focus({ preventScroll: true });
  }

  return {
    openMenu,
    /** Return whether a message has a menu. */
    offersAny: (bubble) => actionsFor(bubble).length > 0,
    reply: (message) => composer.replyTo(message),
  };
}
