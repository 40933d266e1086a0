/**
 * The one socket to the server: kept open while a user is signed in.
 *
 * Attempts use full jitter and never end. Three things change a wait: `retry_after` of a
 * `reconnect` frame, the browser's event that the network is back, and a close for flooding. Only
 * 4401 and 4403 stop the attempts, because no later one can succeed. 4409 means that another tab of
 * this browser has replaced this socket. Reconnecting would make the tabs replace each other for
 * ever, so the connection is *parked* until this tab gets the focus again.
 *
 * Lives here: attempts, heartbeat, detection of dead sockets. Does not live here: what frames mean.
 */
import { fullJitter, waitingTime } from "./backoff.js";

const CONNECT_TIMEOUT_MS = 15_000;
const SILENCE_LIMIT_MS = 60_000;
const PROBE_TIMEOUT_MS = 5_000;
const STABLE_AFTER_MS = 10_000;
const DRAIN_GRACE_MS = 10_000;
const CHECK_EVERY_MS = 1_000;

const CODE_STOPS = new Set([4401, 4403]);
const CODE_REPLACED = 4409;
const CODE_TOO_FAST = 4429;

/**
 * Create the connection.
 * @param {object} options
 * @param {string} options.url
 * @param {(frame: object) => void} options.onFrame every frame, `connected` included
 * @param {(link: "connecting"|"connected"|"waiting"|"parked") => void} options.onLink
 * @param {(code: number) => void} options.onStop signed out: no more attempts
 * @param {object} [options.surroundings] WebSocket, timers, clock and random numbers, for tests
 */
export function createConnection({ url, onFrame, onLink, onStop, surroundings = globalThis }) {
  const { WebSocket, setTimeout, clearTimeout, setInterval, clearInterval } = surroundings;
  const now = surroundings.now ?? (() => Date.now());
  const random = surroundings.random ?? Math.random;

  let socket = null;
  let ready = false;
  let draining = false;
  let stopped = true;
  let parked = false;
  let failures = 0;
  let retryAfter;
  let notBefore = 0;
  let openedAt = 0;
  let lastSign = 0;
  let silentUntil = 0;
  let heartbeatMs = 30_000;
  let nextPing = 0;
  let deadline = 0;
  let retryTimer = null;
  let checkTimer = null;

  function attempt() {
    clearTimeout(retryTimer);
    retryTimer = null;
    if (stopped || socket) return;
    parked = false;
    onLink("connecting");
    deadline = now() + CONNECT_TIMEOUT_MS;
    const opening = new WebSocket(url);
    socket = opening;
    opening.onmessage = (event) => socket === opening && receive(event.data);
    opening.onclose = (event) => socket === opening && lost(event.code);
  }

  function receive(text) {
    lastSign = now();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (frame.type === "connected") {
      ready = true;
      draining = false;
      retryAfter = undefined;
      openedAt = now();
      heartbeatMs = (frame.heartbeat_interval ?? 30) * 1000;
      nextPing = now() + heartbeatMs;
      deadline = Infinity;
      onLink("connected");
    } else if (frame.type === "pong") {
      if (!draining) deadline = Infinity;
    } else if (frame.type === "reconnect") {
      draining = true;
      retryAfter = frame.retry_after;
      deadline = now() + DRAIN_GRACE_MS;
    } else if (frame.type === "error" && frame.code === "rate_limited") {
      silentUntil = now() + (frame.retry_after ?? 1) * 1000;
    }
    onFrame(frame);
  }

  function lost(code) {
    if (ready && now() - openedAt > STABLE_AFTER_MS) failures = 0;
    forget();
    if (stopped) return;
    if (CODE_STOPS.has(code)) {
      stop();
      onStop(code);
      return;
    }
    if (code === CODE_REPLACED) {
      parked = true;
      onLink("parked");
      return;
    }
    if (code === CODE_TOO_FAST) failures = Math.max(failures, 4);
    notBefore = now() + (retryAfter ?? 0) * 1000;
    retryTimer = setTimeout(attempt, waitingTime(retryAfter, failures, random) * 1000);
    retryAfter = undefined;
    failures += 1;
    onLink("waiting");
  }

  function forget() {
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
    socket = null;
    ready = false;
    draining = false;
  }

  /** Drop a dead socket: opening a new one is quicker than its closing handshake. */
  function abandon() {
    if (socket) lost(1006);
  }

  function check() {
    if (!socket) return;
    if (now() > deadline || (ready && now() - lastSign > SILENCE_LIMIT_MS)) abandon();
    else if (ready && now() >= nextPing) ping();
  }

  function ping() {
    nextPing = now() + heartbeatMs;
    send({ type: "ping", timestamp: new Date(now()).toISOString() });
  }

  function send(frame) {
    if (!ready || draining || socket.readyState !== 1) return false;
    socket.send(JSON.stringify(frame));
    return true;
  }

  function stop() {
    stopped = true;
    clearTimeout(retryTimer);
    clearInterval(checkTimer);
    forget();
  }

  return {
    /** Start connecting; attempts continue until stop(). */
    start() {
      if (!stopped) return;
      stopped = false;
      failures = 0;
      checkTimer = setInterval(check, CHECK_EVERY_MS);
      attempt();
    },
    stop,
    /** Send a frame; return false if there is no usable socket and nothing was sent. */
    send,
    /** Return whether the server asked this client to send nothing for a while. */
    get silent() {
      return now() < silentUntil;
    },
    get ready() {
      return ready && !draining;
    },
    /** Check the socket, or try to open one now: the tab or the network came back. */
    wake() {
      if (stopped) return;
      if (ready && now() - lastSign > PROBE_TIMEOUT_MS) {
        deadline = Math.min(deadline, now() + PROBE_TIMEOUT_MS);
        ping();
      } else if (!socket && now() >= notBefore) {
        clearTimeout(retryTimer);
        retryTimer = setTimeout(attempt, parked ? 0 : fullJitter(0, random) * 1000);
      }
    },
    /** Drop the socket: the browser reports that the network is gone. */
    networkLost() {
      abandon();
    },
  };
}
