/**
 * Building and updating markup without a framework.
 *
 * All text is inserted as text nodes; no function here parses a string as markup. Lives here: `h`,
 * `icon` and `reconcile`. Does not live here: any particular view.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag
 * @param {object} [properties] class, on (listeners), dataset, or any attribute; null leaves it out
 * @param {...(Node|string|null|undefined|false)} children strings become text nodes
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make an icon of the sprite in the page; it is decorative, its button has the label. */
export function icon(name, extraClass = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${extraClass}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Make a button that shows only an icon. */
export function iconButton(name, label, onClick, extraClass = "") {
  return h(
    "button",
    { type: "button", class: `icon-button ${extraClass}`.trim(), "aria-label": label, title: label, on: { click: onClick } },
    icon(name),
  );
}

/** Set an element's text only if it differs: this keeps selections, and live regions are not read out again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make a parent's children match a list, keeping the elements of items that stay.
 * @param {Element} parent
 * @param {{key: string}[]} items keys are unique
 * @param {(item: object) => Element} create
 * @param {(element: Element, item: object, previous: object) => void} update called if the item changed
 */
export function reconcile(parent, items, create, update) {
  parent.reconciled ??= new Map();
  const current = parent.reconciled;
  const next = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const known = current.get(item.key);
    const element = known?.element ?? create(item);
    if (known) update(element, item, known.item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
    next.set(item.key, { element, item });
  }
  for (const [key, { element }] of current) {
    if (!next.has(key)) element.remove();
  }
  parent.reconciled = next;
}
