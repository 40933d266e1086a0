"""What a browser's push service accepts: RFC 8030 (delivery), RFC 8291 (encryption) and RFC 8292 (who sends, VAPID)."""

import base64
import json
import re
import time
from typing import Any
from uuid import uuid4

import http_ece
import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.harness.providers.exchange import Request, Response, Service, Verdict
from tests.harness.providers.faults import Fault

_LARGEST = 4096
_TOPIC = re.compile(r"[A-Za-z0-9_\-]{1,32}\Z")
_URGENCIES = ("very-low", "low", "normal", "high")


class Refused(Exception):
    """The request breaks a rule."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class WebPushService(Service):
    """The push service, and the browser's side as well: it decrypts what the service cannot read."""

    protocols = ["h2", "http/1.1"]
    largest_body = _LARGEST

    def __init__(self, settings: dict[str, Any], facts: dict[str, Any]) -> None:
        super().__init__(settings, facts)
        self._keys: dict[str, ec.EllipticCurvePrivateKey] = {}

    def judge(self, request: Request, session: dict[str, Any]) -> Verdict:
        """Say what a push service would answer."""
        endpoint = f"{self.settings['origin']}{request.path}"
        try:
            subscription = self._subscription(request, endpoint)
            _check_headers(request)
            self._check_sender(request.headers.get("authorization", ""), subscription)
        except Refused as refused:
            response = _refusal(refused.status, str(refused))
            return Verdict(response, endpoint, reason=str(refused))
        payload, mistakes = self._decrypted(request.body, endpoint, subscription)
        location = f"{self.settings['origin']}/message/{uuid4()}"
        response = Response(201, {"location": location, "ttl": request.headers["ttl"]})
        return Verdict(response, endpoint, payload, location, delivered=not mistakes, mistakes=mistakes)

    def failure(self, fault: Fault, token: str) -> tuple[Response, str]:
        """Return a failure; push services have no common form for them."""
        assert isinstance(fault.kind, int)
        reason = fault.reason or "ordered"
        return _refusal(fault.kind, reason), reason

    def _subscription(self, request: Request, endpoint: str) -> dict[str, str]:
        found: dict[str, str] | None = self.facts["subscriptions"].get(endpoint)
        if found is None or not request.path.startswith("/push/"):
            raise Refused(404, "no such subscription")
        if status := self.facts["gone"].get(endpoint):
            raise Refused(status, "the subscription has expired")
        if request.method != "POST":
            raise Refused(405, "not a POST")
        return found

    def _check_sender(self, authorization: str, subscription: dict[str, str]) -> None:
        scheme, _, rest = authorization.partition(" ")
        given = dict(re.findall(r"\s*([tk])=\"?([A-Za-z0-9_.\-]+)\"?\s*(?:,|\Z)", rest))
        if scheme.lower() != "vapid" or given.keys() != {"t", "k"}:
            raise Refused(401, "no VAPID authorization")
        if subscription["sender"] and given["k"].rstrip("=") != subscription["sender"]:
            raise Refused(403, "another key than that of the subscription")
        try:
            point = base64.urlsafe_b64decode(given["k"] + "=" * (-len(given["k"]) % 4))
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            claims = jwt.decode(
                given["t"], key, ["ES256"], {"require": ["aud", "exp", "sub"]}, audience=self.settings["origin"]
            )
        except (ValueError, jwt.InvalidTokenError) as error:
            raise Refused(403, f"VAPID: {error}") from error
        if not isinstance(claims["aud"], str):
            raise Refused(403, "VAPID: aud is not one origin")
        if claims["exp"] > time.time() + 86_400:
            raise Refused(403, "VAPID: exp is more than a day away")
        if not re.match(r"(mailto:.+@|https://).+", str(claims["sub"])):
            raise Refused(403, "VAPID: sub is no address")

    def _decrypted(self, body: bytes, endpoint: str, subscription: dict[str, str]) -> tuple[Any, list[str]]:
        """Do what the browser does with the message; a mistake there reaches no service worker."""
        if not body:
            return None, []  # a push without a message is allowed
        if endpoint not in self._keys:
            key = serialization.load_pem_private_key(subscription["key"].encode(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._keys[endpoint] = key
        secret = base64.urlsafe_b64decode(subscription["auth"] + "==")
        try:
            if body[20] != 65:
                return None, ["the message does not carry its sender's key"]
            plain = http_ece.decrypt(body, private_key=self._keys[endpoint], auth_secret=secret, version="aes128gcm")
        except (http_ece.ECEException, InvalidTag, ValueError, IndexError) as error:
            return None, [f"the message cannot be decrypted: {error!r}"]
        try:
            return json.loads(plain), []
        except ValueError:
            return plain.decode("utf-8", "replace"), []


def _check_headers(request: Request) -> None:
    headers = request.headers
    if len(request.body) > _LARGEST:
        raise Refused(413, "the message is too large")
    if not headers.get("ttl", "").isdecimal():
        raise Refused(400, "no TTL")
    if request.body and headers.get("content-encoding") != "aes128gcm":
        raise Refused(400, "not aes128gcm")
    if "topic" in headers and not _TOPIC.match(headers["topic"]):
        raise Refused(400, "bad Topic")
    if headers.get("urgency", "normal") not in _URGENCIES:
        raise Refused(400, "bad Urgency")


def _refusal(status: int, reason: str) -> Response:
    headers = {"content-type": "text/plain; charset=utf-8"}
    if status == 401:
        headers["www-authenticate"] = "vapid"
    return Response(status, headers, reason.encode())
