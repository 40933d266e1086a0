"""What REST views share: typed bodies in and out, and errors as error bodies.

Views of all apps use this; what they answer is decided by services and selectors.
"""

import logging
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.wire import bodies
from realtime.wire.errors import DATABASE_AWAY, DomainError, Invalid, NotFound, TryAgain

log = logging.getLogger("chatsite.rest")
# Of people or other things that one request asks for.
MOST_IDS = 100

B = TypeVar("B", bound=msgspec.Struct)


class BodyParser(BaseParser):
    """Leaves a JSON body as bytes: `body_of` reads it as the type that the view wants."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> bytes:  # type: ignore[override]
        # `chatsite.server.body_limit` has limited its size already.
        return bytes(stream.read())


class BodyRenderer(BaseRenderer):
    """Encodes structs, and containers of structs, as JSON."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else bodies.encode(data)


class ErrorBody(bodies.Body, omit_defaults=True):
    """The body of every error, in REST and on the socket."""

    code: str
    message: str
    fields: dict[str, str] | None = None
    retry_after: float | None = None


def body_of(request: Request, kind: type[B]) -> B:
    """Read the request's JSON body as `kind`.

    :raises DomainError: malformed, or invalid with the names of the fields.
    """
    data: Any = request.data
    return bodies.decode(data if isinstance(data, bytes) and data else b"{}", kind)


def query_of(request: Request, kind: type[B]) -> B:
    """Read the query parameters as `kind`; one given twice is an error.

    :raises DomainError: invalid, with the names of the parameters.
    """
    values: dict[str, str] = {}
    for name, given in request.query_params.lists():
        if len(given) > 1:
            raise DomainError("invalid", f"{name}: given twice", fields={name: "given twice"})
        values[name] = given[0]
    for name, value in values.items():
        if "\x00" in value:
            raise DomainError("invalid", f"{name}: NUL is not allowed", fields={name: "NUL is not allowed"})
    return bodies.convert(values, kind)


def ids_of_query(text: str, field: str) -> list[UUID]:
    """Return the different ids of a query parameter, in order; commas separate them.

    :raises Invalid: one is no UUID, or there are more than `MOST_IDS`.
    """
    parts = text.split(",")
    if len(parts) > MOST_IDS:
        raise Invalid(**{field: f"more than {MOST_IDS}"})
    try:
        return list(dict.fromkeys(UUID(part.strip()) for part in parts))
    except ValueError as error:
        raise Invalid(**{field: "ids, separated by commas"}) from error


def answer(body: Any, status: int = 200) -> Response:
    """Answer with a struct or a container of structs."""
    return Response(body, status=status, headers={"Cache-Control": "no-store"})


def no_content() -> Response:
    """Answer 204: done, without a body."""
    return Response(status=204, headers={"Cache-Control": "no-store"})


def exception_response(error: Exception, context: dict[str, Any]) -> Response:
    """Turn any exception of a view into an error body; an unexpected one is logged."""
    domain_error = _as_domain_error(error)
    headers = {"Cache-Control": "no-store"}
    if domain_error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(domain_error.retry_after)))
    if domain_error.code == "unauthenticated":
        headers["WWW-Authenticate"] = "Bearer"
    if domain_error.code == "method_not_allowed" and isinstance(view := context.get("view"), object):
        headers["Allow"] = ", ".join(getattr(view, "allowed_methods", []))
    return Response(domain_error.body(), status=domain_error.status, headers=headers)


def _as_domain_error(error: Exception) -> DomainError:
    if isinstance(error, DATABASE_AWAY):
        log.warning("the database did not answer: %s", type(error).__name__)
        return TryAgain()
    match error:
        case DomainError():
            return error
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return DomainError("unauthenticated", str(error.detail))
        case exceptions.PermissionDenied() | PermissionDenied():
            return DomainError("forbidden", str(getattr(error, "detail", "") or "Not allowed."))
        case exceptions.NotFound() | Http404():
            return NotFound("address")
        case exceptions.MethodNotAllowed():
            return DomainError("method_not_allowed", str(error.detail))
        case exceptions.UnsupportedMediaType():
            return DomainError("unsupported_media_type", "Send application/json.")
        case exceptions.NotAcceptable():
            return DomainError("not_acceptable", "The answer is application/json.")
        case SuspiciousOperation():
            return DomainError("malformed", "The request cannot be understood.")
        case exceptions.ParseError():
            return DomainError("malformed", str(error.detail))
        case _:
            log.error("a request failed", exc_info=error)
            return DomainError("server_error", "The server failed; this was logged.")


def plain_error(request: HttpRequest, error: DomainError) -> JsonResponse:
    """Return an error body outside of REST framework's views, such as for an unknown address."""
    return JsonResponse(error.body(), status=error.status, headers={"Cache-Control": "no-store"})
