/**
 * Waiting times between attempts: full jitter, so that many clients do not reconnect at once.
 *
 * Lives here: the arithmetic. Does not live here: timers (the callers have them).
 */

const FIRST_CEILING_SECONDS = 0.5;
const LAST_CEILING_SECONDS = 30;

/**
 * Return the seconds to wait before an attempt: uniform between 0 and a ceiling that doubles
 * from 0.5 s to 30 s. The number of attempts is unlimited.
 * @param {number} failures attempts that failed in a row before this one, from 0
 * @param {() => number} random uniform in [0, 1)
 */
export function fullJitter(failures, random = Math.random) {
  const ceiling = Math.min(LAST_CEILING_SECONDS, FIRST_CEILING_SECONDS * 2 ** Math.min(failures, 16));
  return ceiling * random();
}

/**
 * Return the seconds to wait: the server's `retry_after` and a little jitter, or full jitter without one.
 * @param {number|undefined} retryAfter seconds, if the server sent it
 * @param {number} failures
 * @param {() => number} random
 */
export function waitingTime(retryAfter, failures, random = Math.random) {
  if (typeof retryAfter === "number" && retryAfter >= 0) {
    return retryAfter + FIRST_CEILING_SECONDS * random();
  }
  return fullJitter(failures, random);
}
