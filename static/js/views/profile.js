/** The dialog of my own profile: name, about, presence, and signing out. */
import { askToConfirm, openDialog } from "./dialog.js";
import { avatar } from "./avatar.js";
import { h, icon } from "./dom.js";
import { openNotificationSettings } from "./notification_settings.js";
import { reportFailure, showToast } from "./toast.js";

const STATUSES = [
  ["online", "Online"],
  ["away", "Away"],
  ["busy", "Do not disturb"],
  ["invisible", "Invisible"],
];

function labelled(label, control) {
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
}

/** Open the dialog. */
export function openProfile(app) {
  const { store, api, connection } = app;
  const { me, presence } = store.state;
  const name = h("input", { class: "input", id: "profile-name", maxlength: 64, autocomplete: "name", value: me.display_name });
  const about = h("textarea", { class: "input", id: "profile-about", rows: 2, maxlength: 500 }, me.about ?? "");
  const status = h("select", { class: "input", id: "profile-status" }, ...STATUSES.map(([value, label]) => h("option", { value }, label)));
  const mine = presence[me.id]?.status;
  status.value = STATUSES.some(([value]) => value === mine) ? mine : "online";
  const initialStatus = status.value;

  async function save(event) {
    event.preventDefault();
    const fields = { display_name: name.value.trim(), about: about.value.trim() };
    await reportFailure(async () => {
      const user = await api.updateMe(fields);
      app.profileChanged(user);
      if (status.value !== initialStatus && !connection.send({ type: "presence_update", status: status.value })) {
        showToast("Your status could not be changed without a connection.");
      }
      dialog.close();
    });
  }

  async function leave() {
    const unsent = store.state.outbox.filter((entry) => entry.state !== "sent").length;
    const text = unsent > 0 ? `${unsent} of your messages have not been sent yet and will be lost.` : "Everything stored in this browser will be removed.";
    dialog.close();
    if (await askToConfirm({ title: "Sign out?", text, action: "Sign out", danger: unsent > 0 })) {
      await reportFailure(() => app.signOut());
    }
  }

  const dialog = openDialog(
    { title: "Profile" },
    h(
      "form",
      { class: "dialog-body profile", on: { submit: save } },
      h(
        "div",
        { class: "profile-head" },
        avatar({ id: me.id, name: me.display_name || me.username, url: me.avatar_url, size: "large" }),
        h("span", { class: "person-handle" }, `@${me.username}`),
      ),
      labelled("Name", name),
      labelled("About", about),
      labelled("Status", status),
      h("div", { class: "field" }, h("button", { type: "button", class: "own-setting", on: { click: () => openNotificationSettings(app) } }, icon("bell"), "Notification settings")),
      h(
        "footer",
        { class: "dialog-footer" },
        h("button", { type: "button", class: "button button-quiet-danger", on: { click: leave } }, "Sign out"),
        h("button", { type: "submit", class: "button button-primary" }, "Save"),
      ),
    ),
  );
}
