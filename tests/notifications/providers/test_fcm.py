"""Requests to FCM, and the meaning of its answers. The access token is tested in test_access.py."""

import json
from collections.abc import Iterator
from ssl import SSLContext
from typing import Any

import pytest

from notifications.providers.fcm import FcmSender
from notifications.providers.push import Accepted, Answer, Busy, Dead, Refused
from tests.notifications.providers.conftest import LIMITS, a_push
from tests.notifications.providers.google import Google, service_account
from tests.notifications.providers.server import Close, Hang, Say, Server


@pytest.fixture
def google(server: Server) -> Google:
    return Google(server)


@pytest.fixture
def sender(google: Google, tls: SSLContext) -> Iterator[FcmSender]:
    sender = FcmSender(service_account=service_account(google.url), url=google.url, tls=tls, limits=LIMITS)
    yield sender
    sender.close()


def test_a_message_becomes_a_notification(google: Google, sender: FcmSender) -> None:
    google.answer = lambda asked: Say(body=b'{"name": "projects/chat-1/messages/9"}')
    push = a_push(token="T:1", title="Ana", body="hi", collapse_id="c1", seconds_to_live=60)
    assert sender.send(push) == Accepted("projects/chat-1/messages/9")
    (asked,) = google.pushes
    assert asked.path == "/v1/projects/chat-1/messages:send"
    assert asked.headers["authorization"] == "Bearer access-1"
    assert google.message() == {
        "token": "T:1",
        "data": {"kind": "message", "conversation_id": "c1", "message_id": "m1", "sequence": "7", "badge": "3"},
        "android": {
            "priority": "HIGH",
            "ttl": "60s",
            "collapse_key": "c1",
            "notification": {
                "title": "Ana",
                "body": "hi",
                "tag": "c1",
                "notification_count": 3,
                "default_sound": True,
                "default_vibrate_timings": True,
            },
        },
    }


def test_without_preview_a_generic_title_is_shown(google: Google, sender: FcmSender) -> None:
    sender.send(a_push())
    notification = google.message()["android"]["notification"]
    assert notification["title"] == "New message"
    assert not {"body", "tag"} & set(notification)


@pytest.mark.parametrize("kind", ["badge", "sync"])
def test_badge_and_sync_are_data_messages(google: Google, sender: FcmSender, kind: str) -> None:
    sender.send(a_push(kind=kind, title="never shown", data={}, collapse_id="c1", seconds_to_live=-1))
    message = google.message()
    assert message["data"] == {"kind": kind, "badge": "3"}
    assert message["android"] == {"priority": "NORMAL", "ttl": "0s", "collapse_key": kind}


@pytest.mark.parametrize("character", ["a", "\U0001f600", "e\u0301"])
def test_a_long_text_is_shortened_to_fit(google: Google, sender: FcmSender, character: str) -> None:
    assert isinstance(sender.send(a_push(title="Ana", body=character * 5_000)), Accepted)
    assert 4_070 < len(google.pushes[0].body) <= 4_096
    assert google.message()["android"]["notification"]["body"].startswith(character * 100)


def test_too_long_data_is_refused_without_a_request(google: Google, sender: FcmSender) -> None:
    assert isinstance(sender.send(a_push(data={"x": "y" * 5_000})), Refused)
    assert not google.pushes


# --- Answers ----------------------------------------------------------------------------------


def error_answer(status: int, google_status: str, code: str | None = None, **more: Any) -> Say:
    details: list[dict[str, Any]] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": []}]
    if code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    error = {"code": status, "message": "words", "status": google_status, "details": details} | more
    return Say(status, body=json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("say", "answer"),
    [
        (error_answer(404, "NOT_FOUND", "UNREGISTERED"), Dead("UNREGISTERED")),
        (error_answer(404, "NOT_FOUND"), Refused("NOT_FOUND")),
        (error_answer(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), Refused("INVALID_ARGUMENT")),
        (error_answer(400, "INVALID_ARGUMENT", "UNREGISTERED"), Refused("UNREGISTERED")),
        (error_answer(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Refused("SENDER_ID_MISMATCH")),
        (error_answer(403, "PERMISSION_DENIED"), Busy("PERMISSION_DENIED")),
        (Say(403, body=b"<html>"), Busy("status 403")),
        (error_answer(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), Busy("THIRD_PARTY_AUTH_ERROR")),
        (error_answer(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), Busy("QUOTA_EXCEEDED")),
        (
            error_answer(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", message="Device message rate exceeded."),
            Busy("QUOTA_EXCEEDED", counts=False),
        ),
        (error_answer(500, "INTERNAL", "INTERNAL"), Busy("INTERNAL")),
        (error_answer(503, "UNAVAILABLE", "UNAVAILABLE"), Busy("UNAVAILABLE")),
    ],
)
def test_an_answer_of_fcm_gets_its_meaning(google: Google, sender: FcmSender, say: Say, answer: Answer) -> None:
    google.answer = lambda asked: say
    assert sender.send(a_push()) == answer
    assert len(google.pushes) == 1


def test_retry_after_of_fcm_is_passed_to_the_caller(google: Google, sender: FcmSender) -> None:
    google.answer = lambda asked: Say(503, {"retry-after": "90"})
    assert sender.send(a_push()) == Busy("status 503", 90)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "x"}', b'{"error": {"details": [5]}}'])
def test_an_unreadable_answer_is_judged_by_its_status(google: Google, sender: FcmSender, body: bytes) -> None:
    google.answer = lambda asked: Say(404, body=body)
    assert sender.send(a_push()) == Refused("status 404")
    google.answer = lambda asked: Say(200, body=body)
    assert sender.send(a_push()) == Accepted()


@pytest.mark.parametrize("behaviour", [Hang(), Close()])
def test_without_an_answer_the_result_is_busy(google: Google, sender: FcmSender, behaviour: Any) -> None:
    google.answer = lambda asked: behaviour
    answer = sender.send(a_push())
    assert isinstance(answer, Busy)
    assert answer.counts
