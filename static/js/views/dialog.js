/**
 * Modal dialogs with the native element, which keeps the focus inside, closes on Esc and returns the
 * focus afterwards.
 */
import { h, iconButton } from "./dom.js";

/**
 * Open a dialog and return it; it removes itself when it closes.
 * @param {{title: string, className?: string, onClose?: () => void}} options
 * @param {...Node} children
 */
export function openDialog({ title, className = "", onClose }, ...children) {
  const heading = h("h2", { class: "dialog-title", id: `dialog-${Date.now()}` }, title);
  const dialog = h(
    "dialog",
    { class: `dialog ${className}`.trim(), "aria-labelledby": heading.id },
    h("header", { class: "dialog-header" }, heading, iconButton("close", "Close", () => dialog.close())),
    ...children,
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose?.();
  });
  dialog.addEventListener("pointerdown", (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Ask a yes-or-no question; the promise resolves to whether it was confirmed. */
export function askToConfirm({ title, text, action, danger = false }) {
  return new Promise((resolve) => {
    let confirmed = false;
    const confirm = h(
      "button",
      {
        type: "button",
        class: danger ? "button button-danger" : "button button-primary",
        on: {
          click: () => {
            confirmed = true;
            dialog.close();
          },
        },
      },
      action,
    );
    const cancel = h("button", { type: "button", class: "button", on: { click: () => dialog.close() } }, "Cancel");
    const dialog = openDialog(
      { title, className: "dialog-small", onClose: () => resolve(confirmed) },
      h("p", { class: "dialog-text" }, text),
      h("footer", { class: "dialog-footer" }, cancel, confirm),
    );
    confirm.focus();
  });
}
