/**
 * Round pictures of people and groups: their image, or initials on a fixed colour.
 */
import { crc32 } from "../checksum.js";
import { h, icon } from "./dom.js";

const COLOURS = 10;

/** Return the number of the colour that belongs to an id. */
export function colourOf(id) {
  return crc32(id ?? "") % COLOURS;
}

function initialsOf(name) {
  const words = name.trim().split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => Array.from(word.match(/[\p{L}\p{N}]/u)[0])[0].toLocaleUpperCase()).join("");
}

function safeImage(url) {
  if (!url) return null;
  try {
    const parsed = new URL(url, location.href);
    return parsed.origin === location.origin || parsed.protocol === "https:" ? parsed.href : null;
  } catch {
    return null;
  }
}

/**
 * Make an avatar.
 * @param {{id: string, name: string, url?: string, size?: string, presence?: string|null, group?: boolean}} of
 */
export function avatar({ id, name, url, size = "medium", presence = null, group = false }) {
  const initials = initialsOf(name);
  const image = safeImage(url);
  const face = h("span", { class: `avatar-face colour-${colourOf(id)}` }, initials || icon(group ? "group" : "person"));
  if (image) {
    const picture = h("img", { src: image, alt: "", referrerpolicy: "no-referrer", loading: "lazy" });
    picture.addEventListener("error", () => picture.remove());
    face.append(picture);
  }
  return h(
    "span",
    { class: `avatar avatar-${size}`, "aria-hidden": "true", dataset: { presence: presence ?? "unknown" } },
    face,
    h("span", { class: "presence-dot" }),
  );
}
