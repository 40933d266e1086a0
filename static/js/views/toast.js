/** Short notices that need no answer, read out by screen readers. */
import { h } from "./dom.js";

const SHOWN_MS = 5_000;

/** Show a notice for a few seconds. */
export function showToast(text) {
  const region = document.querySelector("#toasts");
  const toast = h("div", { class: "toast" }, text);
  region.append(toast);
  setTimeout(() => toast.remove(), SHOWN_MS);
}

/** Run a request and show its refusal, if it is refused; return whether it succeeded. */
export async function reportFailure(work) {
  try {
    await work();
    return true;
  } catch (error) {
    showToast(error.message);
    return false;
  }
}
