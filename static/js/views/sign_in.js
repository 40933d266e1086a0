/**
 * The page for people who are not signed in: sign in, or make an account.
 *
 * The answer sets an HttpOnly cookie; this script never gets a token.
 */
import { beginSession } from "../session.js";
import { h, icon, setText } from "./dom.js";

const MODES = {
  in: {
    title: "Welcome back",
    action: "Sign in",
    question: "New here?",
    other: "Create an account",
    password: "current-password",
  },
  up: {
    title: "Create your account",
    action: "Sign up",
    question: "Already have an account?",
    other: "Sign in",
    password: "new-password",
  },
};

function field({ name, label, ...attributes }) {
  const error = h("span", { class: "field-error", id: `error-${name}` });
  const input = h("input", {
    id: `field-${name}`,
    name,
    class: "input",
    "aria-describedby": error.id,
    spellcheck: "false",
    autocapitalize: "none",
    ...attributes,
  });
  const row = h("div", { class: "field" }, h("label", { for: input.id }, label), input, error);
  return { row, input, error, name };
}

/**
 * Show the page in an element.
 * @param {HTMLElement} root
 * @param {{api: object, notice?: string}} options
 */
export function showSignIn(root, { api, notice = "" }) {
  let mode = "in";
  const username = field({ name: "username", label: "User name", autocomplete: "username", required: true, maxlength: 64 });
  const displayName = field({ name: "display_name", label: "Your name", autocomplete: "name", maxlength: 64, autocapitalize: "words" });
  const password = field({ name: "password", label: "Password", type: "password", required: true });
  const fields = [username, displayName, password];
  const title = h("h1", { class: "sign-in-title" });
  const problem = h("p", { class: "form-error", role: "alert" }, notice);
  const submit = h("button", { type: "submit", class: "button button-primary button-wide" });
  const question = h("span");
  const other = h("button", { type: "button", class: "link-button", on: { click: () => setMode(mode === "in" ? "up" : "in") } });

  function setMode(next) {
    mode = next;
    const words = MODES[mode];
    setText(title, words.title);
    setText(submit, words.action);
    setText(question, words.question);
    setText(other, words.other);
    displayName.row.hidden = mode === "in";
    password.input.autocomplete = words.password;
    clearErrors();
    username.input.focus();
  }

  function clearErrors() {
    for (const { input, error } of fields) {
      setText(error, "");
      input.removeAttribute("aria-invalid");
    }
  }

  function showErrors(error) {
    for (const { name, input, error: place } of fields) {
      const text = error.fields[name];
      if (!text) continue;
      setText(place, [text].flat().join(" "));
      input.setAttribute("aria-invalid", "true");
    }
    const named = fields.some(({ name }) => error.fields[name]);
    setText(problem, named ? "" : error.message);
    fields.find(({ name }) => error.fields[name])?.input.focus();
  }

  async function enter(event) {
    event.preventDefault();
    clearErrors();
    setText(problem, "");
    submit.disabled = true;
    const values = { username: username.input.value.trim(), password: password.input.value };
    const name = displayName.input.value.trim();
    if (mode === "up" && name) values.display_name = name;
    try {
      const { user } = await (mode === "in" ? api.login(values) : api.register(values));
      await beginSession(user);
      location.reload();
    } catch (error) {
      submit.disabled = false;
      if (!error.fields) throw error;
      showErrors(error);
    }
  }

  root.replaceChildren(
    h(
      "main",
      { class: "sign-in" },
      h(
        "form",
        { class: "sign-in-card", novalidate: true, on: { submit: enter } },
        h("div", { class: "sign-in-mark" }, icon("mark")),
        title,
        problem,
        ...fields.map(({ row }) => row),
        submit,
        h("p", { class: "sign-in-other" }, question, " ", other),
      ),
    ),
  );
  problem.hidden = false;
  setMode("in");
  setText(problem, notice);
}
