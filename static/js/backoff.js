/**
 * Waiting times between attempts: full jitter, so that many clients never come back at once.
 *
 * Lives here: the arithmetic. Does not live here: timers (their users keep them).
 */

const FIRST_CEILING_SECONDS = 0.5;
const LAST_CEILING_SECONDS = 30;

/**
 * Return the seconds to wait before an attempt: uniform between 0 and a ceiling that doubles
 * from 0.5 s to 30 s. There is no last attempt.
 * @param {number} failures attempts that failed in a row before this one, from 0
 * @param {() => number} random uniform in [0, 1)
 */
export function fullJitter(failures, random = Math.random) {
  const ceiling = Math.min(LAST_CEILING_SECONDS, FIRST_CEILING_SECONDS * 2 ** Math.min(failures, 16));
  return ceiling * random();
}

/**
 * Return the seconds to wait when the other side named a time: never earlier, a little spread.
 * @param {number|undefined} retryAfter seconds, if the server said so
 * @param {number} failures
 * @param {() => number} random
 */
export function waitingTime(retryAfter, failures, random = Math.random) {
  if (typeof retryAfter === "number" && retryAfter >= 0) {
    return retryAfter + FIRST_CEILING_SECONDS * random();
  }
  return fullJitter(failures, random);
}
