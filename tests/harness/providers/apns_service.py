"""What Apple's push service accepts: the rules of "Sending notification requests to APNs" and its table of errors."""

import json
import re
import time
from typing import Any
from uuid import UUID, uuid4

import jwt

from tests.harness.providers.exchange import Request, Response, Service, Verdict
from tests.harness.providers.faults import Fault

_DEVICE_TOKEN = re.compile(r"[0-9a-fA-F]{64,200}\Z")
_WHOLE = re.compile(r"[0-9]{1,12}\Z")
_LARGEST = 4096
_REASONS = {
    400: "BadDeviceToken", 403: "InvalidProviderToken", 410: "Unregistered", 413: "PayloadTooLarge",
    429: "TooManyRequests", 500: "InternalServerError", 503: "ServiceUnavailable",
}  # fmt: skip
_STATUS = {
    "MissingProviderToken": 403, "InvalidProviderToken": 403, "ExpiredProviderToken": 403,
    "TooManyProviderTokenUpdates": 429, "MethodNotAllowed": 405, "BadPath": 404, "PayloadTooLarge": 413,
    "Unregistered": 410,
}  # fmt: skip


class Refused(Exception):
    """The request breaks a rule; the text is Apple's reason."""


class ApnsService(Service):
    """The checks, in the order in which their answers are the most useful to a sender."""

    protocols = ["h2"]
    largest_body = _LARGEST

    def __init__(self, settings: dict[str, Any], facts: dict[str, Any]) -> None:
        super().__init__(settings, facts)
        self._signed: dict[str, float] = {}  # provider tokens with a good signature, and when they were issued

    def judge(self, request: Request, session: dict[str, Any]) -> Verdict:
        """Say what Apple would answer."""
        token = request.path.removeprefix("/3/device/") if request.path.startswith("/3/device/") else ""
        id = request.headers.get("apns-id") or str(uuid4()).upper()
        payload = _parsed(request.body)
        try:
            self._check_provider_token(request.headers.get("authorization", ""), session)
            _check_headers(request, id)
            self._check_topic(request.headers.get("apns-topic"))
            self._check_device(request, token)
        except Refused as refused:
            reason = str(refused)
            response = _answer(_STATUS.get(reason, 400), id, reason, self._gone_since(token))
            return Verdict(response, token, payload, id, reason)
        mistakes = _mistakes(request.headers, payload)
        delivered = isinstance(payload, dict)
        headers = {"apns-id": id} | ({"apns-unique-id": str(uuid4())} if request.listener else {})
        return Verdict(Response(200, headers), token, payload, id, delivered=delivered, mistakes=mistakes)

    def failure(self, fault: Fault, token: str) -> tuple[Response, str]:
        """Return a failure in Apple's form."""
        assert isinstance(fault.kind, int)
        reason = fault.reason or _REASONS.get(fault.kind, "InternalServerError")
        return _answer(fault.kind, str(uuid4()).upper(), reason, time.time()), reason

    def accepted(self, session: dict[str, Any]) -> int:
        """Return one stream until the connection has shown a provider token, many afterwards, as Apple does."""
        return 1000 if "provider_token" in session else 1

    def _check_provider_token(self, authorization: str, session: dict[str, Any]) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused("MissingProviderToken")
        issued = self._signed.get(token)
        if issued is None:
            issued = self._signed[token] = self._issued(token)
        now = time.time()
        if issued > now + 60:
            raise Refused("InvalidProviderToken")
        if now - issued > self.facts["token_lives"]:
            session.pop("provider_token", None)  # so that a new one is no update too many
            raise Refused("ExpiredProviderToken")
        known = session.get("provider_token")
        if known is None or known[0] == token:
            session["provider_token"] = known or (token, now)
        elif now - known[1] < self.facts["token_rests"]:
            raise Refused("TooManyProviderTokenUpdates")
        else:
            session["provider_token"] = (token, now)

    def _issued(self, token: str) -> float:
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, self.settings["public_key"], ["ES256"], {"verify_iat": False})
        except jwt.InvalidTokenError as error:
            raise Refused("InvalidProviderToken") from error
        good = header.get("kid") == self.settings["key_id"] and claims.get("iss") == self.settings["team_id"]
        if not good or type(claims.get("iat")) is not int:
            raise Refused("InvalidProviderToken")
        return float(claims["iat"])

    def _check_topic(self, topic: str | None) -> None:
        if not topic:
            raise Refused("MissingTopic")
        if topic != self.settings["topic"]:
            raise Refused("TopicDisallowed")

    def _check_device(self, request: Request, token: str) -> None:
        if not token:
            raise Refused("MissingDeviceToken")
        if not _DEVICE_TOKEN.match(token):
            raise Refused("BadDeviceToken")
        if self.facts["devices"].get(token, request.listener) != request.listener:
            raise Refused("BadDeviceToken")  # it belongs to the other environment
        if self._gone_since(token) is not None:
            raise Refused("Unregistered")

    def _gone_since(self, token: str) -> float | None:
        since: float | None = self.facts["gone"].get(token)
        return since


def _check_headers(request: Request, id: str) -> None:
    headers = request.headers
    if not request.path.startswith("/3/device/"):
        raise Refused("BadPath")
    if request.method != "POST":
        raise Refused("MethodNotAllowed")
    if not request.body:
        raise Refused("PayloadEmpty")
    if len(request.body) > _LARGEST:
        raise Refused("PayloadTooLarge")
    try:
        UUID(id)
    except ValueError:
        raise Refused("BadMessageId") from None
    kind = headers.get("apns-push-type")
    if kind not in (None, "alert", "background"):
        raise Refused("InvalidPushType")
    priority = headers.get("apns-priority", "10")
    if priority not in ("10", "5", "1") or (kind == "background" and priority == "10"):
        raise Refused("BadPriority")
    if not _WHOLE.match(headers.get("apns-expiration", "0")):
        raise Refused("BadExpirationDate")
    if len(headers.get("apns-collapse-id", "").encode()) > 64:
        raise Refused("BadCollapseId")


def _mistakes(headers: dict[str, str], payload: Any) -> list[str]:
    """Return what Apple lets pass and the device then drops or throttles."""
    if not isinstance(payload, dict):
        return ["the payload is no JSON object"]
    aps = payload.get("aps")
    if not isinstance(aps, dict):
        return ["the payload has no dictionary `aps`"]
    found = []
    kind = headers.get("apns-push-type")
    shows = [name for name in ("alert", "badge", "sound") if name in aps]
    if kind is None:
        found.append("no apns-push-type")
    if kind == "background" and shows:
        found.append(f"a background push with {', '.join(shows)}")
    if kind == "background" and aps.get("content-available") != 1:
        found.append("a background push without content-available")
    if kind == "alert" and not shows:
        found.append("an alert push without alert, badge or sound")
    if "badge" in aps and type(aps["badge"]) is not int:
        found.append("a badge that is no whole number")
    if "alert" in aps and not isinstance(aps["alert"], str | dict):
        found.append("an alert that is neither text nor a dictionary")
    return found


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _answer(status: int, id: str, reason: str, gone_since: float | None) -> Response:
    said: dict[str, Any] = {"reason": reason}
    if status == 410:
        said["timestamp"] = int((gone_since or time.time()) * 1000)
    return Response(status, {"apns-id": id, "content-type": "application/json"}, json.dumps(said).encode())
