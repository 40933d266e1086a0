/**
 * Choosing people: a search field, its results, and the chosen people as chips.
 *
 * Lives here: that part of a dialog. Does not live here: the use of the chosen people.
 */
import { avatar } from "./avatar.js";
import { h, icon, setText } from "./dom.js";

const SEARCH_AFTER_MS = 200;

/**
 * Create a picker.
 * @param {{api: object, hidden: Set<string>, several: boolean,
 *   onChange: (chosen: object[]) => void}} options `hidden` are ids that are never offered; with
 *   `several` false, a choice replaces the one before
 */
export function createPeoplePicker({ api, hidden, several, onChange }) {
  const chosen = new Map();
  const input = h("input", { type: "search", class: "search-input", placeholder: "Search people", "aria-label": "Search people", autocomplete: "off", autofocus: true });
  const chips = h("div", { class: "chips" });
  const results = h("ul", { class: "people" });
  const note = h("p", { class: "list-note", role: "status" }, "Type a name to find people.");
  const element = h("div", { class: "picker" }, h("div", { class: "search" }, icon("search"), input), chips, h("div", { class: "picker-results" }, results, note));
  let timer = null;
  let asked = 0;

  function toggle(user) {
    if (chosen.has(user.id)) chosen.delete(user.id);
    else {
      if (!several) chosen.clear();
      chosen.set(user.id, user);
    }
    drawChips();
    onChange([...chosen.values()]);
    for (const row of results.querySelectorAll("[data-user-id]")) {
      row.setAttribute("aria-pressed", String(chosen.has(row.dataset.userId)));
    }
  }

  function drawChips() {
    chips.replaceChildren(
      ...(several ? [...chosen.values()] : []).map((user) =>
        h(
          "button",
          { type: "button", class: "chip", "aria-label": `Remove ${user.display_name}`, on: { click: () => toggle(user) } },
          user.display_name,
          icon("close"),
        ),
      ),
    );
  }

  function personRow(user) {
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "person", dataset: { userId: user.id }, "aria-pressed": String(chosen.has(user.id)), on: { click: () => toggle(user) } },
        avatar({ id: user.id, name: user.display_name, url: user.avatar_url, size: "small" }),
        h("span", { class: "person-words" }, h("span", { class: "person-name" }, user.display_name), h("span", { class: "person-handle" }, `@${user.username}`)),
        several && icon("check", "person-check"),
      ),
    );
  }

  async function search() {
    const text = input.value.trim();
    asked += 1;
    const mine = asked;
    if (text === "") {
      results.replaceChildren();
      setText(note, "Type a name to find people.");
      return;
    }
    try {
      const answer = await api.searchUsers(text);
      if (mine !== asked) return;
      const people = answer.results.filter((user) => !hidden.has(user.id));
      results.replaceChildren(...people.map(personRow));
      setText(note, people.length > 0 ? "" : "Nobody found.");
    } catch (error) {
      if (mine === asked) setText(note, error.message);
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, SEARCH_AFTER_MS);
  });
  return { element, chosen: () => [...chosen.values()], focus: () => input.focus() };
}
