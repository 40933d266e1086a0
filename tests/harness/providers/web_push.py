"""A double of a browser's push service, and of the browser that decrypts."""

import base64
from secrets import token_bytes, token_urlsafe
from typing import NamedTuple, TypedDict

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.harness.providers.certificates import private_pem
from tests.harness.providers.double import Double


class WebPushSettings(TypedDict):
    """What a sender needs."""

    url: str  # the origin of its endpoints
    allow: str  # host and port, for a sender that keeps to known push services
    ca_file: str


class Subscription(NamedTuple):
    """What a browser hands to a web page: keys in base64url without padding."""

    endpoint: str
    p256dh: str
    auth: str


class WebPush(Double):
    """A push service. A record's `token` is the endpoint, its `payload` the plain text (parsed, if it is JSON)."""

    name = "web_push"

    def __init__(self) -> None:
        super().__init__()
        self._facts = {"subscriptions": {}, "gone": {}}

    def settings(self) -> WebPushSettings:
        """Return what a sender needs to reach it."""
        return {
            "url": f"https://127.0.0.1:{self.port}",
            "allow": f"127.0.0.1:{self.port}",
            "ca_file": str(self.ca_file),
        }

    def subscribe(self, sender: str = "") -> Subscription:
        """Return a new subscription; it must have been started.

        :param sender: the only VAPID public key that may send to it (base64url, the page's `applicationServerKey`).
        """
        key, auth = ec.generate_private_key(ec.SECP256R1()), _text(token_bytes(16))
        endpoint = f"https://127.0.0.1:{self.port}/push/{token_urlsafe(24)}"
        self._set_facts(subscriptions={endpoint: {"key": private_pem(key), "auth": auth, "sender": sender.rstrip("=")}})
        point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        return Subscription(endpoint, _text(point), auth)

    def gone(self, endpoint: str, *, status: int = 410) -> None:
        """Let a subscription have ended (410 Gone, or 404)."""
        self._set_facts(gone={endpoint: status})

    def back(self, endpoint: str) -> None:
        """Let the subscription be good again."""
        self._set_facts(gone={endpoint: 0})

    def _write_settings(self) -> None:
        self._settings["origin"] = f"https://127.0.0.1:{self.port}"
        super()._write_settings()


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
