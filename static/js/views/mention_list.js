/**
 * The list of people that opens while a name is being typed after "@".
 *
 * The text field keeps the focus: its keys (arrows, Enter or Tab, Esc) or the mouse control the list, and the
 * field refers to the active option for screen readers. Lives here: that list. Does not live here: matching
 * names and labels (mentions.js).
 */
import { begunMention, labelOf, membersLike } from "../mentions.js";
import { avatar } from "./avatar.js";
import { h, setText } from "./dom.js";

let lists = 0;

/**
 * Create the list for a text field.
 * @param {HTMLTextAreaElement} input
 * @param {{members: () => object[], viewerId: () => string, onChange: () => void}} options `members` returns
 *   the people who may be named; `onChange` is called when a name was inserted into the text
 */
export function createMentionList(input, { members, viewerId, onChange }) {
  lists += 1;
  const id = `mention-list-${lists}`;
  const list = h("ul", { id, class: "mention-list", role: "listbox", "aria-label": "People to mention", hidden: true });
  const status = h("span", { class: "visually-hidden", role: "status" });
  const element = h("div", { class: "mention-place" }, list, status);
  /** The offered people, the active one, and where the name begins. */
  let offered = [];
  let meant = 0;
  let start = 0;
  /** The index of a name that is not completed, because Esc was pressed there. */
  let dismissed = null;

  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-haspopup", "listbox");
  input.setAttribute("aria-controls", id);

  function option(member, index) {
    return h(
      "li",
      {
        id: `${id}-${index}`,
        class: "mention-option",
        role: "option",
        "aria-selected": String(index === meant),
        on: {
          pointermove: () => index !== meant && mean(index),
          // Otherwise the field would lose the focus before the click.
          mousedown: (event) => event.preventDefault(),
          click: () => choose(index),
        },
      },
      avatar({ id: member.user_id, name: member.display_name, url: member.avatar_url, size: "tiny" }),
      h("span", { class: "mention-name" }, member.display_name),
      h("span", { class: "mention-handle" }, `@${member.username}`),
    );
  }

  function refresh() {
    const begun = input.selectionStart === input.selectionEnd ? begunMention(input.value, input.selectionStart) : null;
    if (begun?.start !== dismissed) dismissed = null;
    const found = begun && dismissed === null ? membersLike(members(), begun.query, viewerId()) : [];
    if (found.length === 0) {
      close();
      return;
    }
    const same = start === begun.start && found.length === offered.length && found.every((one, at) => one.user_id === offered[at].user_id);
    start = begun.start;
    if (same && !list.hidden) return;
    offered = found;
    list.replaceChildren(...offered.map(option));
    list.hidden = false;
    setText(status, `${offered.length} ${offered.length === 1 ? "person" : "people"} to mention`);
    mean(0);
  }

  function mean(index) {
    meant = (index + offered.length) % offered.length;
    [...list.children].forEach((one, at) => one.setAttribute("aria-selected", String(at === meant)));
    list.children[meant].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", `${id}-${meant}`);
  }

  function close() {
    if (list.hidden) return;
    list.hidden = true;
    list.replaceChildren();
    offered = [];
    setText(status, "");
    input.removeAttribute("aria-activedescendant");
  }

  function choose(index) {
    const label = `${labelOf(offered[index], members())} `;
    const rest = input.value.slice(input.selectionEnd);
    input.value = input.value.slice(0, start) + label + (rest.startsWith(" ") ? rest.slice(1) : rest);
    const caret = start + label.length;
    input.setSelectionRange(caret, caret);
    close();
    input.focus();
    onChange();
  }

  const KEYS = {
    ArrowDown: () => mean(meant + 1),
    ArrowUp: () => mean(meant - 1),
    Enter: () => choose(meant),
    Tab: () => choose(meant),
    Escape: () => {
      dismissed = start;
      close();
    },
  };

  for (const event of ["input", "click", "keyup"]) input.addEventListener(event, refresh);
  input.addEventListener("blur", close);

  return {
    element,
    close,
    /** Draw again: there are more people than before. */
    refresh,
    /** Handle a key that belongs to the list; return whether it did. */
    takesKey(event) {
      if (list.hidden || event.isComposing || event.shiftKey || !KEYS[event.key]) return false;
      event.preventDefault();
      KEYS[event.key]();
      return true;
    },
  };
}
