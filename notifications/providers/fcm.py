"""Firebase Cloud Messaging for Android: the HTTP v1 interface, one request for each notification."""

import ssl
from functools import partial
from typing import Any
from urllib.parse import quote

from notifications.providers.access import AccessToken, NoAccess, ServiceAccount
from notifications.providers.addresses import service_url
from notifications.providers.connection import Reply, TransportLimits
from notifications.providers.fitting import encoded, fitted
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push, Refused, app_data, wording
from notifications.providers.transport import Transport, Unreachable

URL = "https://fcm.googleapis.com"
# Of the message, with its frame and token.
MOST_BYTES = 4_096


class FcmSender:
    """Sends to FCM. `service_account` is the text of the JSON key file; its project is used unless another is given.

    :raises ValueError: the file is no key file of a service account.
    """

    def __init__(
        self,
        *,
        service_account: str,
        project_id: str | None = None,
        url: str = URL,
        tls: ssl.SSLContext | None = None,
        limits: TransportLimits | None = None,
    ) -> None:
        account = ServiceAccount.read(service_account)
        self._transport = Transport(tls=tls, limits=limits)
        self._access = AccessToken(account, self._transport)
        project = quote(project_id or account.project_id, safe="")
        self._url = service_url(f"{url.rstrip('/')}/v1/projects/{project}/messages:send")

    def send(self, push: Push) -> Answer:
        """Make one attempt, and a second with a new access token if Google refuses ours. Never raises."""
        body = fitted(partial(_message, push), *wording(push), MOST_BYTES)
        if body is None:
            return Refused("the data alone is too long")
        try:
            token = self._access.current()
            reply = self._post(body, token)
            if reply.status == 401 and _error(reply)[0] != "THIRD_PARTY_AUTH_ERROR":
                reply = self._post(body, self._access.instead_of(token))
        except NoAccess as failure:
            return failure.answer
        except Unreachable as error:
            return Busy(error.reason, counts=not error.was_never_sent)
        return _answer(reply)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def _post(self, body: bytes, token: str) -> Reply:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json; charset=utf-8"}
        return self._transport.post(self._url, headers, body)


def _message(push: Push, title: str, body: str | None) -> bytes:
    android: dict[str, Any] = {"priority": "NORMAL", "ttl": f"{max(0, push.seconds_to_live)}s"}
    if push.kind in ("message", "test"):
        android["priority"] = "HIGH"
        notification: dict[str, Any] = {
            "title": title,
            "notification_count": push.badge,
            "default_sound": True,
            "default_vibrate_timings": True,
        }
        if body is not None:
            notification["body"] = body
        if push.collapse_id:
            # FCM stores visible notifications as collapsible in any case and documents that it ignores the key then;
            # the reference of the interface does not say so. On a phone that is reached, the tag decides.
            android["collapse_key"] = push.collapse_id
            notification["tag"] = push.collapse_id
        android["notification"] = notification
    else:
        # For an offline device FCM keeps four keys, unspecified which: so never a key for each conversation.
        android["collapse_key"] = push.kind
    return encoded({"message": {"token": push.token, "data": app_data(push), "android": android}})


def _error(reply: Reply) -> tuple[str, str]:
    """Return FCM's error code, else Google's, else the status; and the whole error as text."""
    try:
        error = reply.json["error"]
        details = error.get("details") or []
        codes = [detail["errorCode"] for detail in details if "errorCode" in detail]
        code = (codes or [error["status"]])[0]
    except (LookupError, TypeError, AttributeError):
        return f"status {reply.status}", ""
    return (code[:100] if isinstance(code, str) else f"status {reply.status}"), str(error)


def _answer(reply: Reply) -> Answer:
    if reply.status == 200:
        return Accepted(_name(reply))
    code, words = _error(reply)
    if reply.status == 404 and code == "UNREGISTERED":
        return Dead(code)
    if reply.status == 429:
        # A quota is of the project or of one device; only that of the project concerns other devices.
        return Busy(code, reply.retry_after, counts="device" not in words.lower())
    # The operator can correct a wrong key, missing rights, or an interface that is off or not paid for: pushes wait for
    # that. A token of another project's app works with no key of this project.
    if reply.status >= 500 or reply.status == 401 or (reply.status == 403 and code != "SENDER_ID_MISMATCH"):
        return Busy(code, reply.retry_after)
    return Refused(code)


def _name(reply: Reply) -> str | None:
    name = reply.json.get("name")
    return name[:200] if isinstance(name, str) else None
