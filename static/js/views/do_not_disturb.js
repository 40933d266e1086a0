/**
 * The fields of do not disturb: on or off, from, until, days, time zone.
 *
 * Lives here: these fields, their value and their errors. Does not live here: sending it (notification_settings.js).
 */
import { h, setText } from "./dom.js";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const PARTS = ["from", "until", "days", "time_zone"];

const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

function zoneOptions() {
  const known = Intl.supportedValuesOf?.("timeZone") ?? [];
  return [...new Set([browserZone(), "UTC", ...known])].sort().map((zone) => h("option", { value: zone }, zone.replaceAll("_", " ")));
}

/** Return the errors by field; those of the whole form under "". The server names them nested or by path. */
function sorted(errors) {
  const found = {};
  for (const [name, text] of Object.entries(errors)) {
    if (name === "do_not_disturb" && text && typeof text === "object" && !Array.isArray(text)) Object.assign(found, text);
    else {
      const part = name.replace(/^do_not_disturb\.?/, "").replace(/\[.*$/, "");
      found[PARTS.includes(part) ? part : ""] = text;
    }
  }
  return found;
}

/**
 * Make the fields.
 * @param {(value: object|null) => void} onChange called with the whole value, if it is complete
 */
export function createDoNotDisturb(onChange) {
  const error = (part) => h("span", { class: "field-error", id: `dnd-error-${part}`, role: "alert" });
  const errors = Object.fromEntries(["", ...PARTS].map((part) => [part, error(part || "all")]));
  const field = (part, input) => {
    input.id = `dnd-${part}`;
    input.setAttribute("aria-describedby", errors[part].id);
    return input;
  };
  const on = h("input", { type: "checkbox", id: "dnd-on", "aria-describedby": errors[""].id });
  const from = field("from", h("input", { type: "time", class: "input", value: "22:00" }));
  const until = field("until", h("input", { type: "time", class: "input", value: "07:00" }));
  const zone = field("time_zone", h("select", { class: "input" }, ...zoneOptions()));
  const days = DAYS.map((day, index) => h("input", { type: "checkbox", value: String(index), checked: true, "aria-label": day }));
  const dayGroup = field(
    "days",
    h(
      "div",
      { class: "day-choice", role: "group", "aria-label": "Days on which it begins" },
      ...days.map((input, index) => h("label", { class: "day-toggle", title: DAYS[index] }, input, h("span", { "aria-hidden": "true" }, DAYS[index].slice(0, 2)))),
    ),
  );
  const labelled = (label, input, part) => h("div", { class: "field" }, h("label", { for: input.id }, label), input, errors[part]);
  const more = h(
    "div",
    { class: "dnd-fields" },
    h("div", { class: "field-pair" }, labelled("From", from, "from"), labelled("Until", until, "until")),
    h("div", { class: "field" }, h("span", { class: "field-label", "aria-hidden": "true" }, "Days on which it begins"), dayGroup, errors.days),
    labelled("Time zone", zone, "time_zone"),
  );
  const element = h(
    "fieldset",
    { class: "setting-group", on: { change } },
    h("legend", {}, "Do not disturb"),
    h("label", { class: "setting-check" }, on, h("span", {}, "Send nothing at these times")),
    errors[""],
    more,
  );
  const inputs = { from, until, time_zone: zone, days: dayGroup, "": on };
  zone.value = browserZone();

  function value() {
    const chosen = days.filter((day) => day.checked).map((day) => Number(day.value));
    return on.checked ? { from: from.value, until: until.value, days: chosen, time_zone: zone.value } : null;
  }

  function missing({ from: start, until: end, days: chosen }) {
    const found = {};
    if (!start) found.from = "Choose a time.";
    if (!end) found.until = "Choose a time.";
    if (chosen.length === 0) found.days = "Choose at least one day.";
    return found;
  }

  function change() {
    more.hidden = !on.checked;
    const next = value();
    const faults = next ? missing(next) : {};
    showErrors(faults);
    if (Object.keys(faults).length === 0) onChange(next);
  }

  /** Show each error at its field, and the others at the form. */
  function showErrors(given) {
    const found = sorted(given);
    for (const part of ["", ...PARTS]) {
      setText(errors[part], [found[part] ?? ""].flat().join(" "));
      if (found[part]) inputs[part].setAttribute("aria-invalid", "true");
      else inputs[part].removeAttribute("aria-invalid");
    }
  }

  return {
    element,
    showErrors,
    /** Show the server's value; null leaves times, days and zone as they are. */
    show(stored) {
      on.checked = Boolean(stored);
      more.hidden = !stored;
      if (!stored) return;
      if (![...zone.options].some((option) => option.value === stored.time_zone)) zone.append(h("option", { value: stored.time_zone }, stored.time_zone));
      [from.value, until.value, zone.value] = [stored.from.slice(0, 5), stored.until.slice(0, 5), stored.time_zone];
      for (const day of days) day.checked = stored.days.includes(Number(day.value));
    },
  };
}
