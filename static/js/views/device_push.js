/** The part of the notification settings about this browser: the state of its push, and the button that turns it on or off. */
import { h, setText } from "./dom.js";

const WORDS = {
  unsupported: "This browser cannot show notifications while the page is closed.",
  insecure: "Notifications need a secure address: one that begins with https.",
  not_set_up: "This server is not set up to send notifications to browsers.",
  blocked: "This browser blocks notifications of this site. Allow them in its settings for the site, and open this again.",
  off: "Off. You see new messages only while the page is open.",
  on: "On. You get notifications here while the page is closed, too.",
};

/** Make this part; it finds out the state by itself. */
export function devicePush({ push }) {
  const line = h("p", { class: "setting-line", role: "status" }, "…");
  const problem = h("p", { class: "form-error", role: "alert" });
  const button = h("button", { type: "button", class: "button", hidden: true, on: { click: press } });
  let state = null;

  async function refresh() {
    try {
      state = await push.state();
      if (state === "unsupported" && !isSecureContext) state = "insecure";
      setText(line, WORDS[state]);
    } catch (error) {
      state = "unknown";
      setText(line, error.message);
    }
    button.hidden = !["on", "off", "unknown"].includes(state);
    button.className = state === "off" ? "button button-primary" : "button";
    setText(button, { on: "Turn off", off: "Turn on notifications on this device" }[state] ?? "Try again");
  }

  async function press() {
    setText(problem, "");
    button.disabled = true;
    try {
      if (state === "off") await push.turnOn();
      else if (state === "on") await push.turnOff();
    } catch (error) {
      setText(problem, error.message);
    }
    await refresh();
    button.disabled = false;
    if (!button.hidden) button.focus();
  }

  refresh();
  return h("fieldset", { class: "setting-group" }, h("legend", {}, "This device"), line, problem, button);
}
