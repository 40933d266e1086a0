/**
 * Clicks, right clicks, long presses and double clicks on messages, with listeners on the whole list.
 */

const LONG_PRESS_MS = 450;
const MOVED_PX = 10;

/**
 * Listen to a list of messages.
 * @param {Element} list
 * @param {{onMenu: (target: Element, point: {x: number, y: number}) => void,
 *   onQuote: (messageId: string) => void, onReply: (target: Element) => void}} listeners
 */
export function listenToPointers(list, { onMenu, onQuote, onReply }) {
  let press = null;

  function endPress() {
    clearTimeout(press?.timer);
    press = null;
  }

  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (!button) return;
    if (button.dataset.action === "quote") onQuote(button.dataset.quoted);
    else {
      const { left, bottom } = button.getBoundingClientRect();
      onMenu(button, { x: left, y: bottom + 4 });
    }
  });
  list.addEventListener("contextmenu", (event) => {
    if (event.target.closest("a") || !event.target.closest(".bubble")) return;
    event.preventDefault();
    endPress();
    onMenu(event.target, { x: event.clientX, y: event.clientY });
  });
  list.addEventListener("dblclick", (event) => {
    if (event.target.closest(".bubble-row") && !event.target.closest(".bubble")) onReply(event.target);
  });
  list.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch" || !event.target.closest(".bubble")) return;
    const { target, clientX: x, clientY: y } = event;
    press = { x, y, timer: setTimeout(() => onMenu(target, { x, y }), LONG_PRESS_MS) };
  });
  list.addEventListener("pointermove", (event) => {
    if (press && Math.hypot(event.clientX - press.x, event.clientY - press.y) > MOVED_PX) endPress();
  });
  list.addEventListener("pointerup", endPress);
  list.addEventListener("pointercancel", endPress);
}
