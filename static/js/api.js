/**
 * The REST side of the protocol.
 *
 * Lives here: one function that sends and reads JSON with the session cookie and the CSRF header,
 * and the one kind of error it throws. Does not live here: retries (the callers know what may be
 * repeated) and credentials (scripts cannot read the session cookie).
 */

/** A refusal by the server, or no answer at all (status 0, code "unreachable"). */
class ApiError extends Error {
  constructor(status, body) {
    super(body.message || "The server cannot be reached.");
    this.status = status;
    this.code = body.code ?? "unreachable";
    this.fields = body.fields ?? {};
    this.retryAfter = body.retry_after;
  }

  /** Whether the same request may succeed later. */
  get temporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

function csrfToken() {
  return document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/)?.[1] ?? "";
}

async function request(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  let text;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
    text = await response.text();
  } catch {
    throw new ApiError(0, {});
  }
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status === 200 ? 502 : response.status, { code: "malformed_answer" });
  }
  if (!response.ok) throw new ApiError(response.status, answer ?? {});
  return answer;
}

const query = (parameters) =>
  new URLSearchParams(Object.entries(parameters).filter(([, value]) => value != null && value !== "")).toString();

export const api = {
  register: (fields) => request("POST", "/auth/register", { ...fields, cookie: true }),
  login: (fields) => request("POST", "/auth/login", { ...fields, cookie: true }),
  logout: () => request("POST", "/auth/logout"),
  me: () => request("GET", "/users/me"),
  updateMe: (fields) => request("PATCH", "/users/me", fields),
  limits: () => request("GET", "/limits"),
  searchUsers: (text) => request("GET", `/users/search?${query({ q: text })}`),
  blocks: () => request("GET", "/users/block"),
  block: (userId) => request("POST", "/users/block", { user_id: userId }),
  unblock: (userId) => request("DELETE", `/users/block/${userId}`),
  profile: (userId) => request("GET", `/users/${userId}/profile`),
  conversations: (cursor) => request("GET", `/conversations?${query({ cursor, limit: 100 })}`),
  conversation: (id) => request("GET", `/conversations/${id}`),
  createConversation: (fields) => request("POST", "/conversations", fields),
  updateConversation: (id, fields) => request("PATCH", `/conversations/${id}`, fields),
  updateMySettings: (id, fields) => request("PATCH", `/conversations/${id}/me`, fields),
  leaveConversation: (id) => request("DELETE", `/conversations/${id}?mode=leave`),
  participants: (id, cursor) => request("GET", `/conversations/${id}/participants?${query({ cursor, limit: 200 })}`),
  addParticipants: (id, userIds) => request("POST", `/conversations/${id}/participants`, { user_ids: userIds }),
  removeParticipant: (id, userId) => request("DELETE", `/conversations/${id}/participants/${userId}`),
  updateParticipant: (id, userId, fields) => request("PATCH", `/conversations/${id}/participants/${userId}`, fields),
  events: (id, after) => request("GET", `/conversations/${id}/events?${query({ after, limit: 200 })}`),
  messages: (id, parameters) => request("GET", `/conversations/${id}/messages?${query(parameters)}`),
  message: (id) => request("GET", `/messages/${id}`),
  sendMessage: (fields) => request("POST", "/messages", fields),
  editMessage: (id, content, mentions) => request("PATCH", `/messages/${id}`, { content, mentions }),
  notifications: (cursor) => request("GET", `/notifications?${query({ cursor, limit: 30 })}`),
  readNotifications: (upTo) => request("POST", "/notifications/read", { up_to: upTo }),
  notificationPreferences: () => request("GET", "/notifications/preferences"),
  updateNotificationPreferences: (fields) => request("PATCH", "/notifications/preferences", fields),
  vapidKey: () => request("GET", "/notifications/vapid-key"),
  registerDevice: (fields) => request("POST", "/device-tokens", fields),
  forgetDevice: (token) => request("DELETE", `/device-tokens/${encodeURIComponent(token)}`),
  deleteMessage: (id) => request("DELETE", `/messages/${id}?for=everyone`),
};
