/**
 * The checksum of heads: how a client notices that it missed the last event of a conversation.
 *
 * Lives here: CRC-32 (as in zlib and PNG) and the sum over conversations, to compare with a `pong`.
 * Does not live here: what to do when they differ (replica.js).
 */

const TABLE = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) {
    value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return value >>> 0;
});

const encoder = new TextEncoder();

/**
 * Return the CRC-32 of the UTF-8 form of a text.
 * @param {string} text
 * @returns {number} an unsigned 32-bit number
 */
export function crc32(text) {
  let value = 0xffffffff;
  for (const byte of encoder.encode(text)) {
    value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}

/**
 * Return the number of conversations and the sum of their heads' checksums modulo 2^32.
 * A sum does not depend on the order, so client and server need not agree on one.
 * @param {Iterable<[string, number]>} heads pairs of conversation id and last sequence
 * @returns {{count: number, checksum: number}}
 */
export function summariseHeads(heads) {
  let count = 0;
  let checksum = 0;
  for (const [conversationId, sequence] of heads) {
    count += 1;
    checksum = (checksum + crc32(`${conversationId}:${sequence}`)) >>> 0;
  }
  return { count, checksum };
}
