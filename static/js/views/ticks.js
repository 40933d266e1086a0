/** The icons for the delivery status of my messages. */
import { h, icon } from "./dom.js";

const MARKS = {
  pending: ["clock", "Sending"],
  sent: ["check", "Sent"],
  delivered: ["checks", "Delivered"],
  read: ["checks", "Read"],
  failed: ["alert", "Not sent"],
};

/** Make the icon of a status: pending, sent, delivered, read or failed. */
export function ticks(status) {
  const [name, label] = MARKS[status];
  return h(
    "span",
    { class: `ticks ticks-${status}`, title: label, dataset: { delivery: status } },
    icon(name),
    h("span", { class: "visually-hidden" }, label),
  );
}
