"""Apple's push service: HTTP/2, a token of ours for all requests, one request for each notification."""

import datetime
import ssl
import threading
import time
from functools import partial
from typing import Any
from urllib.parse import quote

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from notifications.providers.addresses import service_url
from notifications.providers.connection import Reply, TransportLimits
from notifications.providers.fitting import encoded, fitted
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push, Refused, app_data, wording
from notifications.providers.transport import Transport, Unreachable

PRODUCTION = "https://api.push.apple.com"
SANDBOX = "https://api.sandbox.push.apple.com"
MOST_BYTES = 4_096
# Apple refuses tokens older than an hour, and complains of more than one in twenty minutes.
RENEW_SECONDS = 40 * 60
RENEW_AT_MOST_EVERY = 20 * 60
# The operator can correct a wrong key: pushes wait for that.
_OUR_KEY = ("InvalidProviderToken", "ExpiredProviderToken", "MissingProviderToken")
_DEAD = ("Unregistered", "ExpiredToken")


class ProviderToken:
    """The signed token that identifies us, shared by all threads."""

    def __init__(self, *, key: str, key_id: str, team_id: str) -> None:
        loaded = load_pem_private_key(key.encode(), password=None)
        if not isinstance(loaded, EllipticCurvePrivateKey) or not isinstance(loaded.curve, SECP256R1):
            raise ValueError("the key of APNs is no P-256 key")
        self._key = loaded
        self._key_id = key_id
        self._team_id = team_id
        self._lock = threading.Lock()
        self._text = ""
        self._made = 0.0

    def current(self) -> str:
        """Return the token, renewed if it is old."""
        with self._lock:
            if not self._text or time.monotonic() - self._made >= RENEW_SECONDS:
                self._make()
            return self._text

    def instead_of(self, refused: str) -> str | None:
        """Return a different token than the one that Apple called expired; None if that was made just now."""
        with self._lock:
            if self._text == refused:
                if time.monotonic() - self._made < RENEW_AT_MOST_EVERY:
                    return None
                self._make()
            return self._text

    def _make(self) -> None:
        claims = {"iss": self._team_id, "iat": int(time.time())}
        self._text = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})
        self._made = time.monotonic()


class ApnsSender:
    """Sends to APNs. `key` is the text of the .p8 file, `topic` the bundle id of the app.

    :raises ValueError: the key is not a P-256 key in PEM.
    """

    def __init__(
        self,
        *,
        key: str,
        key_id: str,
        team_id: str,
        topic: str,
        production_url: str = PRODUCTION,
        sandbox_url: str = SANDBOX,
        tls: ssl.SSLContext | None = None,
        limits: TransportLimits | None = None,
    ) -> None:
        self._token = ProviderToken(key=key, key_id=key_id, team_id=team_id)
        self._topic = topic
        self._production = production_url.rstrip("/")
        self._sandbox = sandbox_url.rstrip("/")
        for url in (self._production, self._sandbox):
            service_url(url)
        self._transport = Transport(tls=tls, limits=limits)

    def send(self, push: Push) -> Answer:
        """Make one attempt, and a second with a new token if Apple calls ours expired. Never raises."""
        body = fitted(partial(_payload, push), *wording(push), MOST_BYTES)
        if body is None:
            return Refused("PayloadTooLarge")
        token = self._token.current()
        try:
            reply = self._post(push, body, token)
            if reply.status == 403 and _reason(reply) == "ExpiredProviderToken":
                newer = self._token.instead_of(token)
                if newer is not None:
                    reply = self._post(push, body, newer)
        except Unreachable as error:
            return Busy(error.reason, counts=not error.was_never_sent)
        return _answer(reply)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def _post(self, push: Push, body: bytes, token: str) -> Reply:
        base = self._sandbox if push.sandbox else self._production
        headers = {
            "authorization": f"bearer {token}",
            "apns-id": str(push.id),
            "apns-topic": self._topic,
            "apns-push-type": "background" if push.kind == "sync" else "alert",
            "apns-priority": "10" if push.kind in ("message", "test") else "5",
            # 0: Apple tries once and does not store it.
            "apns-expiration": str(int(time.time()) + push.seconds_to_live if push.seconds_to_live > 0 else 0),
        }
        if push.collapse_id:
            headers["apns-collapse-id"] = push.collapse_id
        return self._transport.post(service_url(f"{base}/3/device/{quote(push.token, safe='')}"), headers, body)


def _payload(push: Push, title: str, body: str | None) -> bytes:
    aps: dict[str, Any]
    if push.kind == "sync":
        # No alert, badge or sound: Apple drops a background push that has one.
        aps = {"content-available": 1}
    elif push.kind == "badge":
        aps = {"badge": push.badge}
    else:
        alert = {"title": title} if body is None else {"title": title, "body": body}
        aps = {"alert": alert, "sound": "default", "badge": push.badge, "mutable-content": 1}
        if push.thread_id:
            aps["thread-id"] = push.thread_id
    return encoded({**app_data(push), "aps": aps})


def _reason(reply: Reply) -> str:
    """Return Apple's reason, or the status if there is none."""
    reason = reply.json.get("reason")
    return reason[:100] if isinstance(reason, str) else f"status {reply.status}"


def _since(reply: Reply) -> datetime.datetime | None:
    """Return since when a token is not valid; Apple gives milliseconds."""
    try:
        return datetime.datetime.fromtimestamp(reply.json["timestamp"] / 1000, datetime.UTC)
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return None


def _answer(reply: Reply) -> Answer:
    if reply.status == 200:
        return Accepted(reply.headers.get("apns-id"))
    reason = _reason(reply)
    if reply.status == 410 and reason in _DEAD:
        return Dead(reason, _since(reply))
    # BadDeviceToken and DeviceTokenNotForTopic are only refused: Apple answers that for every token if we use the wrong
    # environment or topic, which may be our mistake.
    if reply.status == 429 or reply.status >= 500 or reason in _OUR_KEY:
        return Busy(reason, reply.retry_after, counts=reason != "TooManyRequests")
    return Refused(reason)
