/**
 * The list of people that opens while a name is being written after "@".
 *
 * The text field keeps the focus: the list is steered by its keys (arrows, Enter or Tab, Esc) or by the mouse,
 * and the field names the option that is meant, for who does not see it. Lives here: that list. Does not live
 * here: which names fit and what stands for whom (mentions.js).
 */
import { begunMention, labelOf, membersLike } from "../mentions.js";
import { avatar } from "./avatar.js";
import { h, setText } from "./dom.js";

let lists = 0;

/**
 * Create the list for a text field.
 * @param {HTMLTextAreaElement} input
 * @param {{members: () => object[], viewerId: () => string, onChange: () => void}} options `members` are who
 *   may be named now; `onChange` is told when a name was put into the text
 */
export function createMentionList(input, { members, viewerId, onChange }) {
  lists += 1;
  const id = `mention-list-${lists}`;
  const list = h("ul", { id, class: "mention-list", role: "listbox", "aria-label": "People to mention", hidden: true });
  const told = h("span", { class: "visually-hidden", role: "status" });
  const element = h("div", { class: "mention-place" }, list, told);
  /** Who is offered, which of them is meant, and where the name begins. */
  let offered = [];
  let meant = 0;
  let start = 0;
  /** Where a name stands that shall not be completed: Esc was pressed there. */
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
          // The field would lose the focus before the click.
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
    setText(told, `${offered.length} ${offered.length === 1 ? "person" : "people"} to mention`);
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
    setText(told, "");
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
    /** Look again: there are more people than before. */
    refresh,
    /** Take a key that belongs to the list; says whether it did. */
    takesKey(event) {
      if (list.hidden || event.isComposing || event.shiftKey || !KEYS[event.key]) return false;
      event.preventDefault();
      KEYS[event.key]();
      return true;
    },
  };
}
