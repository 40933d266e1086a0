"""Web Push: HTTP to the browser's push service (RFC 8030), with content that only the browser can read (RFC 8291)."""

import hashlib
import ssl
from functools import partial

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.providers.addresses import UnsafeAddress, checked_url
from notifications.providers.connection import Reply, TransportLimits
from notifications.providers.fitting import encoded, fitted
from notifications.providers.network import PublicNetwork
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push, Refused, app_data, wording
from notifications.providers.transport import Transport, Unreachable
from notifications.providers.vapid import Vapid, base64url, from_base64url

# Push services take 4,096 bytes: 86 are the header with our key, 16 the tag, and one marks the last record.
MOST_BYTES = 3_993


def check_keys(p256dh: str, auth: str) -> tuple[bytes, bytes]:
    """Return the keys of a subscription as bytes: the browser's point on P-256 and its secret.

    :raises ValueError: they are not valid keys.
    """
    key, secret = from_base64url(p256dh), from_base64url(auth)
    if len(key) != 65 or key[0] != 4:
        raise ValueError("p256dh is not an uncompressed point of 65 bytes")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    if len(secret) != 16:
        raise ValueError("auth is not 16 bytes")
    return key, secret


class WebPushSender:
    """Sends to the push services of browsers. `vapid_private_key`: 32 bytes in base64url, or PEM.

    `subject` is the contact for push services: mailto: or https:. `network` decides which addresses are dialled; its
    `allowed` are the endpoints that need not be public.

    :raises ValueError: the key or the subject is not valid.
    """

    def __init__(
        self,
        *,
        vapid_private_key: str,
        subject: str,
        network: PublicNetwork | None = None,
        tls: ssl.SSLContext | None = None,
        limits: TransportLimits | None = None,
    ) -> None:
        self._vapid = Vapid(vapid_private_key, subject)
        network = network or PublicNetwork()
        self._allowed = network.allowed
        self._transport = Transport(network=network, tls=tls, limits=limits)

    def send(self, push: Push) -> Answer:
        """Make one attempt. Never raises."""
        if push.keys is None:
            return Refused("no keys")
        try:
            url = checked_url(push.token, allowed=self._allowed)
            key, secret = check_keys(*push.keys)
        except UnsafeAddress as error:
            return Refused(f"unsafe address: {error.why}")
        except ValueError:
            return Refused("no such keys")
        text = fitted(partial(_payload, push), *wording(push), MOST_BYTES)
        if text is None:
            return Refused("the data alone is too long")
        headers = {
            "authorization": self._vapid.authorization(url.origin),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(max(0, push.seconds_to_live)),
            "urgency": "high" if push.kind == "message" else "normal",
        }
        if push.collapse_id:
            headers["topic"] = base64url(hashlib.sha256(push.collapse_id.encode()).digest())[:32]
        # RFC 8291 wants a new key pair for each message.
        own = ec.generate_private_key(ec.SECP256R1())
        sealed = http_ece.encrypt(text, private_key=own, dh=key, auth_secret=secret, version="aes128gcm")
        try:
            return _answer(self._transport.post(url, headers, sealed))
        except UnsafeAddress as error:
            return Refused(f"unsafe address: {error.why}")
        except Unreachable as error:
            return Busy(error.reason, counts=not error.was_never_sent)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()


def _payload(push: Push, title: str, body: str | None) -> bytes:
    content = app_data(push)
    if push.kind in ("message", "test"):
        content["title"] = title
        if body is not None:
            content["body"] = body
    return encoded(content)


def _answer(reply: Reply) -> Answer:
    if reply.status in (200, 201, 202, 204):
        location = reply.headers.get("location")
        return Accepted(location[:500] if location else None)
    # The body is not recorded: a stranger wrote it, and it may repeat the endpoint, which is a secret.
    reason = f"status {reply.status}"
    if reply.status in (404, 410):
        return Dead(reason)
    if reply.status == 429 or reply.status >= 500:
        return Busy(reason, reply.retry_after)
    if reply.status in (401, 403):
        # Our key, its subject or our clock is wrong: the operator can correct that. Or the browser subscribed with
        # another key of ours, which services answer with 401 or 403: the operator can restore that key, or the browser
        # subscribes again. Such a subscription must not open the breaker of the service for all others.
        return Busy(reason, reply.retry_after, counts=False)
    return Refused(reason)
