/**
 * The right half: one open conversation with its header, messages and composer.
 *
 * Lives here: the composition of these parts and their calls to each other. Does not live here: the
 * parts themselves.
 */
import { may, otherPerson, presenceOf } from "../state/selectors.js";
import { count, presenceLine, typingLine } from "../wording.js";
import { avatar } from "./avatar.js";
import { createComposer } from "./composer.js";
import { openDetails } from "./details.js";
import { h, iconButton, setText } from "./dom.js";
import { createMessageActions } from "./message_actions.js";
import { createMessageList } from "./message_list.js";
import { navigateToList } from "./navigation.js";

function subtitleOf(state, conversation) {
  const typing = typingLine(state, conversation);
  if (typing) return `${typing}…`;
  const other = otherPerson(state, conversation);
  if (other) return presenceLine(presenceOf(state, other.id));
  const people = conversation.participants.filter((one) => one.user_id !== state.me.id);
  const online = people.filter((one) => ["online", "busy"].includes(presenceOf(state, one.user_id)?.status)).length;
  const members = count(conversation.participant_count, "member");
  return online > 0 ? `${members}, ${online} online` : members;
}

/** Create the view of a conversation. */
export function createConversationView(app, id) {
  const { store, api } = app;
  const face = h("span", { class: "header-face" });
  const name = h("span", { class: "header-name" });
  const subtitle = h("span", { class: "header-subtitle" });
  const identity = h(
    "button",
    { type: "button", class: "header-identity", "aria-label": "Conversation details", on: { click: () => openDetails(app, id) } },
    face,
    h("span", { class: "header-words" }, h("h2", { class: "header-heading" }, name), subtitle),
  );
  const header = h(
    "header",
    { class: "conversation-header" },
    iconButton("back", "Back to the list", navigateToList, "back-button"),
    identity,
    iconButton("info", "Details", () => openDetails(app, id), "details-button"),
  );
  const readOnly = h("p", { class: "read-only", hidden: true }, "You cannot write in this conversation.");
  const composer = createComposer(app, id);
  const actions = createMessageActions(app, id, composer);
  const list = createMessageList(app, id, actions);
  const element = h(
    "section",
    { class: "conversation", "aria-label": "Conversation", dataset: { conversationId: id } },
    header,
    list.element,
    composer.element,
    readOnly,
  );
  let shownFace = "";
  let askedPresence = false;

  /** Load once the presence of a person about whom no frame has come. */
  function askPresence(state) {
    const other = otherPerson(state, state.conversations[id]);
    if (askedPresence || state.link !== "online" || !other || state.presence[other.id]) return;
    askedPresence = true;
    api.profile(other.id).then(
      ({ presence, ...user }) => {
        if (store.state.presence[other.id]) return;
        store.dispatch({ type: "person_loaded", user, presence });
      },
      () => {},
    );
  }

  function drawHeader(state) {
    const conversation = state.conversations[id];
    const other = otherPerson(state, conversation);
    const presence = other ? (presenceOf(state, other.id)?.status ?? null) : null;
    const url = other?.avatar_url || conversation.avatar_url;
    const signature = JSON.stringify([conversation.display_name, url, presence]);
    if (signature !== shownFace) {
      shownFace = signature;
      const of = { id: other?.id ?? id, name: conversation.display_name, url, presence, group: !other };
      face.replaceChildren(avatar({ ...of, size: "small" }));
    }
    setText(name, conversation.display_name);
    setText(subtitle, subtitleOf(state, conversation));
    subtitle.classList.toggle("is-typing", Boolean(state.typing[id]));
  }

  return {
    id,
    element,
    draw(state) {
      drawHeader(state);
      list.draw(state);
      const writable = may(state.conversations[id], "send_messages");
      composer.element.hidden = !writable;
      readOnly.hidden = writable;
      composer.draw(state);
      askPresence(state);
    },
    /** Show the message with this sequence. */
    show: (sequence) => list.show(sequence),
    /** Handle the opening of the conversation. */
    entered() {
      list.entered();
      if (matchMedia("(pointer: fine)").matches) composer.focus();
    },
    leave() {
      composer.leave();
      list.leave();
    },
  };
}
