/**
 * The fields of do not disturb: on or off, from, until, days, time zone.
 *
 * Lives here: these fields and what they say. Does not live here: sending it (notification_settings.js).
 */
import { h, setText } from "./dom.js";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const PARTS = ["from", "until", "days", "time_zone"];

const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

function zoneOptions() {
  const known = Intl.supportedValuesOf?.("timeZone") ?? [];
  return [...new Set([browserZone(), "UTC", ...known])].sort().map((zone) => h("option", { value: zone }, zone.replaceAll("_", " ")));
}

/** Return the errors of the parts and of the whole, whatever form the server gave them. */
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
 * @param {(value: object|null) => void} onChange the whole value, when it is one that can be sent
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

  /** Show what is wrong at the parts that it is about; what is about none of them, at the whole. */
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
    /** Show a value of the server's; null leaves times, days and zone as they are, for the next time. */
    show(held) {
      on.checked = Boolean(held);
      more.hidden = !held;
      if (!held) return;
      if (![...zone.options].some((option) => option.value === held.time_zone)) zone.append(h("option", { value: held.time_zone }, held.time_zone));
      [from.value, until.value, zone.value] = [held.from.slice(0, 5), held.until.slice(0, 5), held.time_zone];
      for (const day of days) day.checked = held.days.includes(Number(day.value));
    },
  };
}
