/**
 * Telling the others that I am typing.
 *
 * The first notice waits half a second, so a message that is quicker than that sends none; while
 * keys are pressed the notice is renewed before the server's lease of three seconds ends; after
 * three idle seconds, on sending, or on leaving the conversation it is taken back.
 *
 * Lives here: that timing. Does not live here: who else is typing (state/people.js).
 */

const FIRST_NOTICE_MS = 500;
const RENEW_MS = 2_000;
const IDLE_MS = 3_000;

/** Create the sender of typing notices. */
export function createTyping({ connection, surroundings = globalThis }) {
  const { setTimeout, clearTimeout } = surroundings;
  const now = surroundings.now ?? (() => Date.now());
  let conversationId = null;
  let told = false;
  let lastKey = 0;
  let timer = null;

  function notify(isTyping) {
    if (connection.silent) return;
    connection.send({ type: "typing", conversation_id: conversationId, is_typing: isTyping });
  }

  function renew() {
    if (told && now() - lastKey >= IDLE_MS) {
      stop();
      return;
    }
    if (!told || now() - lastKey < RENEW_MS) {
      told = true;
      notify(true);
    }
    timer = setTimeout(renew, RENEW_MS);
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    if (told) notify(false);
    told = false;
  }

  return {
    /** A key was pressed in the composer of a conversation. */
    keyPressed(id, text) {
      if (id !== conversationId) stop();
      conversationId = id;
      lastKey = now();
      if (text.trim() === "") stop();
      else timer ??= setTimeout(renew, FIRST_NOTICE_MS);
    },
    stop,
  };
}
