"""Authentication of REST requests: the bearer token of a device session or the cookie of a browser."""

from typing import Any

from django.middleware.csrf import CsrfViewMiddleware
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts import selectors, services
from accounts.models import DeviceSession, User


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`; `request.auth` is the device session."""

    def authenticate(self, request: Request) -> tuple[User, DeviceSession] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("Send Authorization: Bearer and a token.")
        session = services.recognise_token(token.strip())
        if session is None:
            raise AuthenticationFailed("The token is not valid.")
        return session.user, session


class _CsrfCheck(CsrfViewMiddleware):
    """The CSRF check, from which REST framework exempts its views; the middleware has read the cookie already."""

    def _reject(self, request: Any, reason: str) -> str:
        return reason


class CookieAuthentication(BaseAuthentication):
    """The session cookie of a browser. A request that changes something must have the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, DeviceSession] | None:
        session = services.recognise_session(request._request.session.get(selectors.SESSION_KEY))
        if session is None:
            return None
        check = _CsrfCheck(lambda _: None)  # type: ignore[arg-type]
        reason = check.process_view(request._request, None, (), {})  # type: ignore[arg-type]
        if reason:
            raise PermissionDenied(f"CSRF: {reason}")
        return session.user, session


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the bearer token in the OpenAPI file."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class CookieScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the session cookie in the OpenAPI file."""

    target_class = CookieAuthentication
    name = "cookie"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
