"""The answers to exceptions in views."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, InternalError, OperationalError
from django.http import Http404
from django.test import Client
from rest_framework import exceptions

from accounts import selectors
from realtime.wire.errors import DomainError


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DomainError("rate_limited", "Later.", retry_after=7.4), 429, "rate_limited"),
        (OperationalError("the server closed the connection"), 503, "try_again"),
        (InterfaceError("connection already closed"), 503, "try_again"),
        (InternalError("terminating connection due to idle-in-transaction timeout"), 503, "try_again"),
        (exceptions.AuthenticationFailed("Who?"), 401, "unauthenticated"),
        (exceptions.PermissionDenied("No."), 403, "forbidden"),
        (PermissionDenied(), 403, "forbidden"),
        (Http404("secret"), 404, "not_found"),
        (exceptions.NotFound("secret"), 404, "not_found"),
        (SuspiciousOperation("secret"), 400, "malformed"),
        (exceptions.ParseError("Half a body."), 400, "malformed"),
        (ZeroDivisionError("secret"), 500, "server_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_exception_in_a_view_gets_its_status_and_code(
    error: Exception, status: int, code: str, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fails(_: str) -> None:
        raise error

    monkeypatch.setattr(selectors, "session_of_token", fails)
    answer = client.get("/api/v1/users/me", headers={"Authorization": "Bearer x"})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["message"]
    assert "secret" not in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)
    assert ("Retry-After" in answer.headers) is ("retry_after" in body) is (status in (429, 503))
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert errors == ([error] if status == 500 else []), "only unexpected exceptions are logged as errors"


def test_retry_after_is_rounded_to_whole_seconds_of_at_least_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds, header in ((0.1, "1"), (7.4, "7"), (7.6, "8")):

        def fails(_: str, seconds: float = seconds) -> None:
            raise DomainError("rate_limited", "Later.", retry_after=seconds)

        monkeypatch.setattr(selectors, "session_of_token", fails)
        answer = client.get("/api/v1/users/me", headers={"Authorization": "Bearer x"})
        assert (answer.headers["Retry-After"], answer.json()["retry_after"]) == (header, seconds)
