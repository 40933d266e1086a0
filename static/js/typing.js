/**
 * Sending typing frames: the others see that I am typing.
 *
 * The first frame waits half a second, so a message that is quicker sends none. While keys are
 * pressed it is renewed before the server's lease of three seconds ends. After three idle seconds,
 * on sending, or on leaving the conversation a frame with `is_typing` false follows.
 *
 * Lives here: that timing. Does not live here: who else is typing (state/people.js).
 */

const FIRST_NOTICE_MS = 500;
const RENEW_MS = 2_000;
const IDLE_MS = 3_000;

/** Create the sender of typing frames. */
export function createTyping({ connection, surroundings = globalThis }) {
  const { setTimeout, clearTimeout } = surroundings;
  const now = surroundings.now ?? (() => Date.now());
  let conversationId = null;
  let sent = false;
  let lastKey = 0;
  let timer = null;

  function notify(isTyping) {
    if (connection.silent) return;
    connection.send({ type: "typing", conversation_id: conversationId, is_typing: isTyping });
  }

  function renew() {
    if (sent && now() - lastKey >= IDLE_MS) {
      stop();
      return;
    }
    if (!sent || now() - lastKey < RENEW_MS) {
      sent = true;
      notify(true);
    }
    timer = setTimeout(renew, RENEW_MS);
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    if (sent) notify(false);
    sent = false;
  }

  return {
    /** Handle a key press in the composer of a conversation. */
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
