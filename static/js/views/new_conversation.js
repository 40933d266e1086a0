/** The dialog that starts a conversation: with one person, or a group. */
import { openDialog } from "./dialog.js";
import { h, setText } from "./dom.js";
import { navigateTo } from "./navigation.js";
import { createPeoplePicker } from "./people_picker.js";
import { reportFailure } from "./toast.js";

/** Open the dialog. */
export function openNewConversation(app) {
  const { store, api } = app;
  let group = false;
  let picker = null;
  const pickerPlace = h("div", { class: "dialog-body" });
  const name = h("input", { class: "input", id: "group-name", maxlength: 100, placeholder: "Group name", "aria-label": "Group name", autocomplete: "off" });
  const nameRow = h("div", { class: "group-name" }, name);
  const start = h("button", { type: "button", class: "button button-primary button-wide", on: { click: create } });
  const direct = tab("Direct message", false);
  const several = tab("New group", true);
  const dialog = openDialog(
    { title: "New conversation", className: "dialog-tall" },
    h("div", { class: "tabs", role: "group", "aria-label": "Kind of conversation" }, direct, several),
    nameRow,
    pickerPlace,
    h("footer", { class: "dialog-footer" }, start),
  );

  function tab(label, isGroup) {
    return h("button", { type: "button", class: "tab", on: { click: () => choose(isGroup) } }, label);
  }

  function choose(isGroup) {
    group = isGroup;
    direct.setAttribute("aria-pressed", String(!group));
    several.setAttribute("aria-pressed", String(group));
    nameRow.hidden = !group;
    setText(start, group ? "Create group" : "Start conversation");
    picker = createPeoplePicker({
      api,
      hidden: new Set([store.state.me.id]),
      several: group,
      onChange: refresh,
    });
    pickerPlace.replaceChildren(picker.element);
    refresh();
    if (group) name.focus();
    else picker.focus();
  }

  function refresh() {
    start.disabled = picker.chosen().length === 0 || (group && name.value.trim() === "");
  }

  async function create() {
    const participantIds = picker.chosen().map((user) => user.id);
    const fields = group
      ? { type: "group", name: name.value.trim(), participant_ids: participantIds }
      : { type: "direct", participant_ids: participantIds };
    start.disabled = true;
    await reportFailure(async () => {
      const conversation = await api.createConversation(fields);
      store.dispatch({ type: "conversation_loaded", conversation });
      dialog.close();
      navigateTo(conversation.id);
    });
    refresh();
  }

  name.addEventListener("input", refresh);
  choose(false);
}
