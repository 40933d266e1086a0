/**
 * The form for writing messages: text, replies and edits.
 *
 * Enter sends, Shift+Enter makes a new line, Esc cancels a reply or an edit. "@" offers people. Unsent
 * text stays as a draft, also after a reload. Lives here: the form. Does not live here: sending
 * (outbox.js), the timing of typing frames (typing.js), the list of people (mention_list.js).
 */
import { createMembers } from "../members.js";
import { findMentions, labelsOf, labelsOfMessage } from "../mentions.js";
import { readDraft, writeDraft } from "../session.js";
import { messageLine, nameOf } from "../wording.js";
import { shareLocation } from "./location.js";
import { h, icon, iconButton, setText } from "./dom.js";
import { createMentionList } from "./mention_list.js";
import { reportFailure, showToast } from "./toast.js";

const WARN_BELOW = 500;

const lengthOf = (text) => Array.from(text).length;

/** Create the composer of a conversation. */
export function createComposer(app, id) {
  const { store, api, outbox, typing } = app;
  const input = h("textarea", {
    class: "composer-input",
    rows: "1",
    placeholder: "Message",
    "aria-label": "Message",
    enterkeyhint: "send",
    dir: "auto",
  });
  const left = h("span", { class: "composer-left", role: "status" });
  const send = h("button", { type: "submit", class: "send-button", "aria-label": "Send", title: "Send" }, icon("send"));
  const bannerTitle = h("span", { class: "banner-title" });
  const bannerLine = h("span", { class: "banner-line" });
  const bannerIcon = h("span", { class: "banner-icon" });
  const banner = h(
    "div",
    { class: "composer-banner", hidden: true },
    bannerIcon,
    h("span", { class: "banner-words" }, bannerTitle, bannerLine),
    iconButton("close", "Cancel", () => setTask(null)),
  );
  const members = createMembers(app, id);
  const people = createMentionList(input, { members: members.known, viewerId: () => store.state.me.id, onChange: changed });
  const element = h(
    "form",
    { class: "composer", on: { submit } },
    banner,
    h(
      "div",
      { class: "composer-row" },
      iconButton("pin", "Share my location", () => shareLocation(app, id), "location-button"),
      h("div", { class: "composer-field" }, people.element, input, left),
      send,
    ),
  );

  /** The purpose of the text: null (a new message) or {kind: "reply" | "edit", message}. */
  let task = null;
  input.value = readDraft(id);

  function setTask(next) {
    const wasEdit = task?.kind === "edit";
    task = next;
    banner.hidden = !task;
    if (task) {
      const { state } = store;
      bannerIcon.replaceChildren(icon(task.kind));
      setText(bannerTitle, task.kind === "edit" ? "Edit message" : `Reply to ${nameOf(state, task.message.sender_user_id, "yourself")}`);
      setText(bannerLine, messageLine(state, task.message));
    }
    if (task?.kind === "edit") input.value = task.message.content;
    else if (wasEdit) input.value = readDraft(id);
    refresh();
    input.focus();
  }

  function refresh() {
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`;
    const room = store.state.limits.text_code_points - lengthOf(input.value);
    setText(left, room < WARN_BELOW ? String(room) : "");
    left.classList.toggle("over", room < 0);
    send.disabled = input.value.trim() === "" || room < 0;
  }

  async function submit(event) {
    event.preventDefault();
    const content = input.value.trim();
    if (send.disabled) return;
    typing.stop();
    people.close();
    if (task?.kind === "edit") {
      const { message } = task;
      const mentions = mentionsIn(content, labelsOfMessage(message));
      if (content === message.content || (await reportFailure(() => api.editMessage(message.id, content, mentions)))) setTask(null);
      return;
    }
    try {
      outbox.compose({ conversation_id: id, content, mentions: mentionsIn(content), reply_to_id: task?.message.id });
    } catch {
      showToast("This browser's storage is full; the message was not sent.");
      return;
    }
    input.value = "";
    writeDraft(id, "");
    setTask(null);
  }

  function mentionsIn(content, kept = []) {
    return findMentions(content, [...kept, ...labelsOf(members.known())], store.state.limits.mentions_per_message);
  }

  input.addEventListener("keydown", (event) => {
    if (people.takesKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      element.requestSubmit();
    } else if (event.key === "Escape" && task) {
      event.preventDefault();
      setTask(null);
    }
  });
  function changed() {
    refresh();
    if (input.value.includes("@")) members.complete(people.refresh);
    if (task?.kind === "edit") return;
    writeDraft(id, input.value);
    typing.keyPressed(id, input.value);
  }

  input.addEventListener("input", changed);
  input.addEventListener("blur", () => typing.stop());

  return {
    element,
    draw: refreshOnce(refresh),
    focus: () => input.focus(),
    replyTo: (message) => setTask({ kind: "reply", message }),
    edit: (message) => setTask({ kind: "edit", message }),
    leave: () => typing.stop(),
  };
}

/** Return a function that calls `refresh` the first time only, when the text is in the page and its height can be measured. */
function refreshOnce(refresh) {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    refresh();
  };
}
