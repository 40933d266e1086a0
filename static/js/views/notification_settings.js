/**
 * The dialog about notifications: this device, and my preferences on all devices.
 *
 * Every change is sent at once. A refusal is shown at its field, which returns to the server's value,
 * except for the fields of do not disturb, which can be corrected.
 *
 * Lives here: the dialog and its requests. Does not live here: the fields of do not disturb
 * (do_not_disturb.js).
 */
import { pausedLine } from "../wording.js";
import { devicePush } from "./device_push.js";
import { openDialog } from "./dialog.js";
import { createDoNotDisturb } from "./do_not_disturb.js";
import { h, setText } from "./dom.js";

const HOUR_MS = 3_600_000;
const MORNING = 8;
const LEVELS = [
  ["all", "All messages"],
  ["mentions", "Only when I am mentioned"],
  ["none", "Nothing"],
];
const CHECKS = [
  ["push", "Send notifications to my devices", ""],
  ["preview", "Show sender and text in notifications", "Otherwise they only say that there is a new message."],
  ["email", "Send an e-mail about messages that I have not read", ""],
];

function tomorrowMorning() {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, MORNING);
}

/** Open the dialog. */
export function openNotificationSettings(app) {
  const place = h("div", { class: "dialog-body settings" }, devicePush(app), h("p", { class: "list-note", role: "status" }, "Loading…"));
  openDialog({ title: "Notification settings", className: "dialog-tall" }, place);

  async function load() {
    try {
      const form = createPreferences(app.api, await app.api.notificationPreferences());
      place.lastElementChild.replaceWith(form);
    } catch (error) {
      const again = h("button", { type: "button", class: "button", on: { click: load } }, "Try again");
      place.lastElementChild.replaceWith(h("div", { class: "setting-group" }, h("p", { class: "form-error", role: "alert" }, error.message), again));
    }
  }
  load();
}

/** Make the fields of the preferences, with the server's values `given`. */
function createPreferences(api, given) {
  let current = given;
  let sending = Promise.resolve();
  let waiting = 0;

  const errors = Object.fromEntries(
    ["level", "paused_until", ...CHECKS.map(([name]) => name)].map((name) => [name, h("span", { class: "field-error", id: `preference-error-${name}`, role: "alert" })]),
  );

  const checks = CHECKS.map(([name, label, hint]) => {
    const input = h("input", { type: "checkbox", "aria-describedby": `preference-hint-${name} ${errors[name].id}`, on: { change: () => send({ [name]: input.checked }) } });
    const words = h("span", {}, label, h("span", { class: "setting-hint", id: `preference-hint-${name}` }, hint));
    return { name, input, element: h("div", {}, h("label", { class: "setting-check" }, input, words), errors[name]) };
  });

  const levels = LEVELS.map(([value, label]) => {
    const input = h("input", { type: "radio", name: "level", value, "aria-describedby": errors.level.id, on: { change: () => send({ level: value }) } });
    return { value, input, element: h("label", { class: "setting-check" }, input, label) };
  });

  const pauseLine = h("p", { class: "setting-line", role: "status" });
  const pauseButton = (label, until) => h("button", { type: "button", class: "small-button", on: { click: () => pause(until()) } }, label);
  const pauseHour = pauseButton("For 1 hour", () => new Date(Date.now() + HOUR_MS));
  const pauseNight = pauseButton("Until tomorrow, 8:00", tomorrowMorning);
  const resume = pauseButton("Resume", () => null);
  const doNotDisturb = createDoNotDisturb((value) => send({ do_not_disturb: value }));

  const element = h(
    "div",
    {},
    h("fieldset", { class: "setting-group" }, h("legend", {}, "Notify me of"), ...levels.map((one) => one.element), errors.level),
    h("fieldset", { class: "setting-group" }, h("legend", {}, "How"), ...checks.map((one) => one.element)),
    h("fieldset", { class: "setting-group" }, h("legend", {}, "Pause"), pauseLine, h("div", { class: "setting-buttons" }, pauseHour, pauseNight, resume), errors.paused_until),
    doNotDisturb.element,
  );

  async function pause(until) {
    await send({ paused_until: until?.toISOString() ?? null });
    // The pressed button may be gone.
    if (!element.contains(document.activeElement)) (resume.hidden ? pauseHour : resume).focus();
  }

  /** Send changes one after the other, so that the last one wins. */
  function send(fields) {
    waiting += 1;
    sending = sending.then(() => change(fields));
    return sending;
  }

  async function change(fields) {
    const [name] = Object.keys(fields);
    try {
      current = await api.updateNotificationPreferences(fields);
      showErrors(name, {});
      waiting -= 1;
      if (waiting === 0) show();
    } catch (error) {
      waiting -= 1;
      showErrors(name, Object.keys(error.fields ?? {}).length > 0 ? error.fields : { [name]: error.message });
      if (name !== "do_not_disturb" && waiting === 0) show();
    }
  }

  function showErrors(name, found) {
    if (name === "do_not_disturb") doNotDisturb.showErrors(found);
    else setText(errors[name], [found[name] ?? Object.values(found)].flat().join(" "));
  }

  function show() {
    for (const { name, input } of checks) input.checked = current[name];
    for (const { value, input } of levels) input.checked = current.level === value;
    const paused = current.paused_until && Date.parse(current.paused_until) > Date.now();
    setText(pauseLine, paused ? pausedLine(current.paused_until) : "Notifications are not paused.");
    pauseHour.hidden = pauseNight.hidden = Boolean(paused);
    resume.hidden = !paused;
    // The person may be choosing another time.
    if (!doNotDisturb.element.contains(document.activeElement) || !current.do_not_disturb) doNotDisturb.show(current.do_not_disturb);
  }
  show();
  return element;
}
