"""The one error that services raise, and its body on the wire. Transports map it in `rest` and `consumer`."""

from typing import Any

from django.db import InterfaceError, InternalError, OperationalError

# The database did not answer. When PostgreSQL ends a transaction because this process was stopped for too long, psycopg
# raises an InternalError.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)

STATUS_OF_CODE = {
    "malformed": 400,
    "invalid": 400,
    "unknown_type": 400,
    "not_supported": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "edit_window_closed": 403,
    "not_found": 404,
    "not_a_participant": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "idempotency_conflict": 409,
    "resync_required": 410,
    "too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "server_error": 500,
    "try_again": 503,
}


class DomainError(Exception):
    """An error with a stable code, a sentence for people, and what the caller can do."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fields: dict[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """HTTP status of the code."""
        return STATUS_OF_CODE[self.code]

    def body(self) -> dict[str, Any]:
        """Error body, the same for REST and the socket."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.fields:
            body["fields"] = self.fields
        if self.retry_after is not None:
            body["retry_after"] = round(self.retry_after, 3)
        return body


class Invalid(DomainError):
    """A field has an invalid value; `fields` names each."""

    def __init__(self, **fields: str) -> None:
        super().__init__("invalid", "; ".join(f"{name}: {why}" for name, why in fields.items()), fields=fields)


class NotFound(DomainError):
    """The thing does not exist, or the caller may not know that it does."""

    def __init__(self, what: str = "object") -> None:
        super().__init__("not_found", f"No such {what}.")


class Forbidden(DomainError):
    """The caller knows the thing but lacks the right."""

    def __init__(self, message: str) -> None:
        super().__init__("forbidden", message)


class TryAgain(DomainError):
    """The outcome is unknown or the store is away: the same request may be sent again."""

    def __init__(self, retry_after: float = 1.0) -> None:
        super().__init__("try_again", "The server could not settle this; send it again.", retry_after=retry_after)
