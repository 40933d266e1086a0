"""What Firebase Cloud Messaging accepts: its HTTP v1 interface and errors, and the token endpoint of RFC 7523."""

import base64
import hashlib
import hmac
import json
import re
import time
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import jwt

from tests.harness.providers.exchange import Request, Response, Service, Verdict
from tests.harness.providers.faults import Fault
from tests.harness.providers.fcm_message import Invalid, check_message

OAUTH = "oauth"  # what requests to the token endpoint carry as their token
_SCOPES = {"https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform"}
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN = re.compile(r"[A-Za-z0-9_:\-]+\Z")
_FORMS = {  # of a status: Google's name of it, and FCM's error code
    400: ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    401: ("UNAUTHENTICATED", ""),
    403: ("PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
    404: ("NOT_FOUND", "UNREGISTERED"),
    410: ("NOT_FOUND", "UNREGISTERED"),
    429: ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
    500: ("INTERNAL", "INTERNAL"),
    503: ("UNAVAILABLE", "UNAVAILABLE"),
}


class FcmService(Service):
    """Both endpoints."""

    protocols = ["h2", "http/1.1"]
    largest_body = 16_384

    def judge(self, request: Request, session: dict[str, Any]) -> Verdict:
        """Say what Google would answer."""
        if request.path == "/token":
            return self._answer_token_request(request)
        sends = re.fullmatch(r"/v1/projects/([^/]+)/messages:send", request.path)
        if sends is None or request.method != "POST":
            return Verdict(_error(404, "Not found.", code=""), reason="NOT_FOUND")
        try:
            payload = json.loads(request.body)
        except ValueError:
            payload = None
        token = _token_of(payload)
        if denied := self._access_error(request.headers.get("authorization", "")):
            response = _error(401, "Request had invalid authentication credentials.", code="", cause=denied)
            response.headers["www-authenticate"] = 'Bearer realm="https://accounts.google.com/"'
            return Verdict(response, token, payload, reason="UNAUTHENTICATED")
        if sends[1] != self.settings["project"]:
            return Verdict(_error(403, "Permission denied.", code=""), token, payload, reason="PERMISSION_DENIED")
        try:
            check_message(payload, len(request.body))
            if not _TOKEN.match(token):
                raise Invalid("The registration token is not a valid FCM registration token")
        except Invalid as invalid:
            return Verdict(_error(400, str(invalid)), token, payload, reason="INVALID_ARGUMENT")
        if token in self.facts["mismatched"]:
            return Verdict(_error(403, "SenderId mismatch"), token, payload, reason="SENDER_ID_MISMATCH")
        if self.facts["gone"].get(token):
            return Verdict(_error(404, "Requested entity was not found."), token, payload, reason="UNREGISTERED")
        name = f"projects/{self.settings['project']}/messages/0:{time.time_ns() // 1000}%{uuid4().hex[:16]}"
        dry = payload.get("validate_only") is True or payload.get("validateOnly") is True
        return Verdict(_json(200, {"name": name}), token, payload, name, delivered=not dry)

    def failure(self, fault: Fault, token: str) -> tuple[Response, str]:
        """Return a failure in Google's form."""
        assert isinstance(fault.kind, int)
        if token == OAUTH:
            reason = fault.reason or ("invalid_grant" if fault.kind < 500 else "internal_failure")
            return _json(fault.kind, {"error": reason, "error_description": "ordered"}), reason
        reason = fault.reason or _FORMS.get(fault.kind, ("", "INTERNAL"))[1]
        return _error(fault.kind, "ordered", code=reason), reason or "UNAUTHENTICATED"

    def _answer_token_request(self, request: Request) -> Verdict:
        form = {name: values[0] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        error, description = self._grant(form) if request.method == "POST" else ("invalid_request", "Not a POST")
        if error:
            said = {"error": error, "error_description": description}
            asked = {"grant_type": form.get("grant_type")}
            return Verdict(_json(400, said), OAUTH, asked, reason=error, not_a_push=True)
        lifetime = self.facts["access_lives"]
        access = self._access_token(int((time.time() + lifetime) * 1000))
        given = {"access_token": access, "expires_in": max(int(lifetime), 1), "token_type": "Bearer"}
        return Verdict(_json(200, given), OAUTH, {"grant_type": form["grant_type"]}, not_a_push=True)

    def _grant(self, form: dict[str, str]) -> tuple[str, str]:
        if form.get("grant_type") != _GRANT:
            return "unsupported_grant_type", "Invalid grant_type"
        assertion = form.get("assertion", "")
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(
                assertion,
                self.settings["public_key"],
                ["RS256"],
                {"require": ["iss", "aud", "iat", "exp"]},
                audience=self.settings["token_uri"],
                issuer=self.settings["client_email"],
                leeway=10,
            )
        except jwt.InvalidTokenError as wrong:
            return "invalid_grant", f"Invalid JWT: {wrong}"
        if header.get("kid", self.settings["key_id"]) != self.settings["key_id"]:
            return "invalid_grant", "Invalid JWT Signature."
        if not 0 < claims["exp"] - claims["iat"] <= 3600:
            return "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)"
        if not _SCOPES & set(str(claims.get("scope", "")).split()):
            return "invalid_scope", "Invalid OAuth scope or ID token audience provided."
        return "", ""

    def _access_token(self, until: int) -> str:
        """Return a token that says itself how long it is good, so that it outlives this process."""
        text = f"{until}.{self.facts['access_issue']}"
        sum = hmac.digest(self.settings["secret"].encode(), text.encode(), hashlib.sha256)
        return f"ya29.{text}.{base64.urlsafe_b64encode(sum).decode().rstrip('=')}"

    def _access_error(self, authorization: str) -> str:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "CREDENTIALS_MISSING"
        parts = token.split(".")
        if len(parts) != 4 or not parts[1].isdigit() or token != self._access_token(int(parts[1])):
            return "ACCESS_TOKEN_TYPE_UNSUPPORTED"
        return "" if int(parts[1]) > time.time() * 1000 else "ACCESS_TOKEN_EXPIRED"


def _token_of(payload: Any) -> str:
    message = payload.get("message") if isinstance(payload, dict) else None
    token = message.get("token") if isinstance(message, dict) else None
    return token if isinstance(token, str) and token else "?"  # never "": a push without a token is a push


def _error(status: int, message: str, *, code: str | None = None, cause: str = "") -> Response:
    name, usual = _FORMS.get(status, ("UNKNOWN", "UNSPECIFIED_ERROR"))
    code = usual if code is None else code
    details: list[dict[str, str]] = []
    if code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    if cause:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": cause})
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    return _json(status, {"error": error | ({"details": details} if details else {})})


def _json(status: int, said: dict[str, Any]) -> Response:
    return Response(status, {"content-type": "application/json; charset=UTF-8"}, json.dumps(said).encode())
