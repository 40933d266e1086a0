/** One member of a group in its details, with the possible actions. */
import { may, presenceOf } from "../state/selectors.js";
import { nameOf, presenceLine } from "../wording.js";
import { avatar } from "./avatar.js";
import { askToConfirm } from "./dialog.js";
import { h } from "./dom.js";
import { reportFailure } from "./toast.js";

const ROLES = { owner: "Owner", admin: "Admin", member: "" };

function actionsFor(app, state, conversation, member) {
  const { api } = app;
  const { id } = conversation;
  const name = nameOf(state, member.user_id);
  const change = (fields) => () => reportFailure(() => api.updateParticipant(id, member.user_id, fields));
  const actions = [];
  if (member.user_id === state.me.id || member.role === "owner") return actions;
  if (may(conversation, "change_roles")) {
    if (member.role === "member") actions.push(["Make admin", change({ role: "admin" })]);
    else actions.push(["Make member", change({ role: "member" })]);
    actions.push([
      "Make owner",
      async () => {
        const confirmed = await askToConfirm({
          title: `Make ${name} the owner?`,
          text: "You will be an admin afterwards.",
          action: "Transfer",
        });
        if (confirmed) await change({ role: "owner" })();
      },
    ]);
  }
  if (may(conversation, "remove_participants")) {
    actions.push([
      "Remove from group",
      async () => {
        const confirmed = await askToConfirm({
          title: `Remove ${name}?`,
          text: `${name} will no longer receive messages of this group.`,
          action: "Remove",
          danger: true,
        });
        if (confirmed) await reportFailure(() => api.removeParticipant(id, member.user_id));
      },
      "danger",
    ]);
  }
  return actions;
}

/** Make the row of a member. */
export function memberRow(app, state, conversation, member) {
  const seen = presenceOf(state, member.user_id);
  const actions = actionsFor(app, state, conversation, member);
  const line = h(
    "span",
    { class: "person-words" },
    h("span", { class: "person-name" }, nameOf(state, member.user_id, "You", member.display_name), ROLES[member.role] && h("span", { class: "role" }, ROLES[member.role])),
    h("span", { class: "person-handle" }, member.user_id === state.me.id ? "online" : presenceLine(seen) || `@${member.username}`),
  );
  const face = avatar({ id: member.user_id, name: member.display_name, url: member.avatar_url, size: "small", presence: seen?.status ?? null });
  if (actions.length === 0) return h("li", { class: "person" }, face, line);
  const buttons = actions.map(([label, act, kind]) =>
    h("button", { type: "button", class: kind === "danger" ? "small-button danger" : "small-button", on: { click: act } }, label),
  );
  return h("li", {}, h("details", { class: "member" }, h("summary", { class: "person" }, face, line), h("div", { class: "member-actions" }, ...buttons)));
}
