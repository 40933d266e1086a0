/**
 * The dialog about a conversation: the other person, or a group with its members.
 *
 * It is redrawn when the conversation changes. Lives here: the content and the requests of its
 * buttons. `my_permissions` says which buttons are shown; the server decides what is allowed.
 */
import { loadMembers } from "../members.js";
import { may, otherPerson, presenceOf } from "../state/selectors.js";
import { count, nameOf, presenceLine } from "../wording.js";
import { avatar } from "./avatar.js";
import { askToConfirm, openDialog } from "./dialog.js";
import { h, icon } from "./dom.js";
import { memberRow } from "./member_row.js";
import { ownSettings } from "./own_settings.js";
import { createPeoplePicker } from "./people_picker.js";
import { reportFailure } from "./toast.js";

const RANK = { owner: 0, admin: 1, member: 2 };

/** Make the page of a person. `blocks` are the ids of the people whom I block, null until loaded; `onBlock` blocks or unblocks. */
function personPage(app, state, conversation, person, { blocks, onBlock }) {
  const seen = presenceOf(state, person.id);
  return h(
    "div",
    { class: "dialog-body details" },
    h(
      "div",
      { class: "details-head" },
      avatar({ id: person.id, name: nameOf(state, person.id), url: person.avatar_url, size: "large", presence: seen?.status ?? null }),
      h("span", { class: "details-name" }, nameOf(state, person.id)),
      h("span", { class: "person-handle" }, `@${person.username}`),
      h("span", { class: "details-line" }, presenceLine(seen)),
    ),
    person.about && h("p", { class: "details-about" }, person.about),
    ownSettings(app, conversation),
    blocks &&
      h(
        "button",
        { type: "button", class: "own-setting danger", on: { click: () => onBlock(person) } },
        icon("block"),
        `${blocks.has(person.id) ? "Unblock" : "Block"} ${nameOf(state, person.id)}`,
      ),
  );
}

function openAddPeople(app, id) {
  const { api, store } = app;
  const hidden = new Set(store.state.conversations[id].participants.map((one) => one.user_id));
  const add = h("button", { type: "button", class: "button button-primary button-wide", disabled: true, on: { click: submit } }, "Add to group");
  const picker = createPeoplePicker({ api, hidden, several: true, onChange: (chosen) => (add.disabled = chosen.length === 0) });
  const dialog = openDialog(
    { title: "Add people", className: "dialog-tall" },
    h("div", { class: "dialog-body" }, picker.element),
    h("footer", { class: "dialog-footer" }, add),
  );
  picker.focus();

  async function submit() {
    add.disabled = true;
    const added = await reportFailure(() => api.addParticipants(id, picker.chosen().map((user) => user.id)));
    if (added) dialog.close();
    else add.disabled = false;
  }
}

function openRename(app, id) {
  const { api, store } = app;
  const conversation = store.state.conversations[id];
  const name = h("input", { class: "input", id: "rename-name", maxlength: 100, value: conversation.name, required: true });
  const description = h("textarea", { class: "input", id: "rename-description", rows: 2, maxlength: 500 }, conversation.description ?? "");
  const dialog = openDialog(
    { title: "Edit group" },
    h(
      "form",
      { class: "dialog-body", on: { submit: save } },
      h("div", { class: "field" }, h("label", { for: name.id }, "Name"), name),
      h("div", { class: "field" }, h("label", { for: description.id }, "Description"), description),
      h("footer", { class: "dialog-footer" }, h("button", { type: "submit", class: "button button-primary" }, "Save")),
    ),
  );

  async function save(event) {
    event.preventDefault();
    const fields = { name: name.value.trim(), description: description.value.trim() };
    if (await reportFailure(() => api.updateConversation(id, fields))) dialog.close();
  }
}

async function leave(app, id, dialog) {
  const confirmed = await askToConfirm({
    title: "Leave group?",
    text: "You will no longer receive its messages.",
    action: "Leave",
    danger: true,
  });
  if (confirmed && (await reportFailure(() => app.api.leaveConversation(id)))) {
    dialog.close();
    app.store.dispatch({ type: "conversation_missing", id });
  }
}

function action(name, label, onClick, kind = "") {
  return h("button", { type: "button", class: `details-action ${kind}`.trim(), on: { click: onClick } }, icon(name), label);
}

/** Make the settings that apply to everybody in a group. */
function groupSettings({ api }, { id, settings }) {
  const enabled = settings?.notifications_enabled !== false;
  const save = ({ target }) =>
    reportFailure(() => api.updateConversation(id, { settings: { notifications_enabled: target.checked } })).then((saved) => {
      if (!saved) target.checked = !target.checked;
    });
  return h(
    "label",
    { class: "own-setting" },
    h("input", { type: "checkbox", id: "group-notifications", checked: enabled, on: { change: save } }),
    "Notifications of this group",
  );
}

/** Make the page of a group. `all` are all members, null until loaded; `onAll` loads them. */
function groupPage(app, state, conversation, dialog, { all, onAll }) {
  const { id } = conversation;
  const members = (all ?? conversation.participants)
    .slice()
    .sort((one, other) => RANK[one.role] - RANK[other.role] || one.display_name.localeCompare(other.display_name));
  const unlisted = conversation.participant_count - members.length;
  return h(
    "div",
    { class: "dialog-body details" },
    h(
      "div",
      { class: "details-head" },
      avatar({ id, name: conversation.display_name, url: conversation.avatar_url, size: "large", group: true }),
      h("span", { class: "details-name" }, conversation.display_name),
      h("span", { class: "details-line" }, count(conversation.participant_count, "member")),
    ),
    conversation.description && h("p", { class: "details-about" }, conversation.description),
    h(
      "div",
      { class: "details-actions" },
      may(conversation, "add_participants") && action("add", "Add people", () => openAddPeople(app, id)),
      may(conversation, "update_conversation") && action("edit", "Edit group", () => openRename(app, id)),
      may(conversation, "leave") && action("leave", "Leave group", () => leave(app, id, dialog), "danger"),
    ),
    may(conversation, "update_conversation") && groupSettings(app, conversation),
    ownSettings(app, conversation),
    h("ul", { class: "people", "aria-label": "Members" }, ...members.map((member) => memberRow(app, state, conversation, member))),
    unlisted > 0 && h("button", { type: "button", class: "button button-wide", on: { click: onAll } }, `Show ${count(unlisted, "more member")}`),
  );
}

/** Open the dialog. */
export function openDetails(app, id) {
  const { store, api } = app;
  let all = null;
  let blocks = null;
  const place = h("div", { class: "details-place" });
  const isDirect = store.state.conversations[id].type === "direct";
  const unsubscribe = store.subscribe((state, previous) => {
    if (!state.conversations[id]) dialog.close();
    else if (state.conversations[id].participant_count !== previous.conversations[id].participant_count) {
      all = null;
      draw(state);
    } else if (state.conversations[id] !== previous.conversations[id] || state.presence !== previous.presence) draw(state);
  });
  const dialog = openDialog({ title: isDirect ? "Profile" : "Group", className: "dialog-tall", onClose: unsubscribe }, place);

  async function onAll() {
    await reportFailure(async () => {
      all = await loadMembers(api, id);
      draw(store.state);
    });
  }

  const loadBlocks = () =>
    reportFailure(async () => {
      blocks = new Set((await api.blocks()).results.map((user) => user.id));
      if (store.state.conversations[id]) draw(store.state);
    });

  async function onBlock(person) {
    const blocked = blocks.has(person.id);
    const sure =
      blocked ||
      (await askToConfirm({
        title: `Block ${nameOf(store.state, person.id)}?`,
        text: "Neither of you can write to the other, or sees whether the other is online or typing.",
        action: "Block",
        danger: true,
      }));
    if (sure && (await reportFailure(() => (blocked ? api.unblock(person.id) : api.block(person.id))))) await loadBlocks();
  }

  function draw(state) {
    const conversation = state.conversations[id];
    const person = otherPerson(state, conversation);
    const page = person ? personPage(app, state, conversation, person, { blocks, onBlock }) : groupPage(app, state, conversation, dialog, { all, onAll });
    const { scrollTop } = place.firstElementChild ?? {};
    const choosing = place.querySelector(".own-mute")?.open;
    const { id: field, textContent: label } = place.contains(document.activeElement) ? document.activeElement : {};
    place.replaceChildren(page);
    page.scrollTop = scrollTop ?? 0;
    if (choosing) page.querySelector(".own-mute")?.setAttribute("open", "");
    // Focus only the same button: another one at its place might be pressed by mistake.
    if (field) page.querySelector(`#${field}`)?.focus();
    else if (label) [...page.querySelectorAll("button, summary")].find((one) => one.textContent === label)?.focus();
  }
  draw(store.state);
  if (isDirect) loadBlocks();
}
