/**
 * Random identifiers made by this client.
 *
 * Lives here: UUIDs for client_message_id and for commands. `crypto.randomUUID` exists only in
 * secure contexts. A server on plain http in a local network is not one; for it there is a fallback.
 */

/** Return a random UUID (version 4). */
export function makeUuid(source = globalThis.crypto) {
  if (typeof source.randomUUID === "function") return source.randomUUID();
  const bytes = source.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
