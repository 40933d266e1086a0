"""VAPID (RFC 8292) identifies this server to push services of browsers: one key, and a signed token for each origin."""

import base64
import binascii
import threading
import time
from collections import OrderedDict

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

# RFC 8292 allows a day by the push service's clock; ours may differ.
VALID_SECONDS = 11 * 3_600
RENEW_SECONDS = 6 * 3_600
# Clients name the endpoints, and with them the origins.
MOST_ORIGINS = 1_000


def base64url(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes of base64url, with or without padding.

    :raises ValueError: other characters, or the wrong number of them.
    """
    bare = text.rstrip("=")
    if len(text) - len(bare) > 2:
        raise ValueError("not base64url")
    try:
        raw = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64url") from error
    # b64decode lets + and / through besides - and _.
    if "+" in text or "/" in text:
        raise ValueError("not base64url")
    return raw


def new_vapid_private_key() -> str:
    """Return a new private key: its 32 bytes as base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64url(number.to_bytes(32, "big"))


def vapid_public_key(private: str) -> str:
    """Return the public key that browsers subscribe with: the uncompressed point as base64url.

    :raises ValueError: the private key is neither 32 bytes in base64url nor P-256 in PEM.
    """
    return base64url(point(read_private_key(private).public_key()))


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as its uncompressed point, 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def read_private_key(private: str) -> ec.EllipticCurvePrivateKey:
    """Return the private key, given as 32 bytes in base64url or as PEM.

    :raises ValueError: it is neither.
    """
    if "-----BEGIN" in private:
        loaded = load_pem_private_key(private.encode(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not isinstance(loaded.curve, ec.SECP256R1):
            raise ValueError("the VAPID key is no P-256 key")
        return loaded
    raw = from_base64url(private.strip())
    if len(raw) != 32:
        raise ValueError("the VAPID key is not 32 bytes")
    return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())


class Vapid:
    """Signs tokens for origins and uses each for some hours. Any thread may call it."""

    def __init__(self, private: str, subject: str) -> None:
        if not subject.startswith(("mailto:", "https:")):
            raise ValueError("the VAPID subject is a mailto: or https: address")
        self._key = read_private_key(private)
        self._public = base64url(point(self._key.public_key()))
        self._subject = subject
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def authorization(self, origin: str) -> str:
        """Return the Authorization header for endpoints of an origin."""
        now = time.monotonic()
        with self._lock:
            token, until = self._tokens.get(origin, ("", 0.0))
            if not token or now >= until:
                claims = {"aud": origin, "exp": int(time.time()) + VALID_SECONDS, "sub": self._subject}
                token = jwt.encode(claims, self._key, algorithm="ES256")
                self._tokens[origin] = (token, now + RENEW_SECONDS)
                if len(self._tokens) > MOST_ORIGINS:
                    self._tokens.popitem(last=False)
            self._tokens.move_to_end(origin)
        return f"vapid t={token}, k={self._public}"
