"""Requests to APNs, and the meaning of its answers."""

import datetime
import json
import time
from collections.abc import Iterator
from ssl import SSLContext
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifications.providers import apns
from notifications.providers.apns import ApnsSender, ProviderToken
from notifications.providers.push import Accepted, Answer, Busy, Dead, Refused
from tests.notifications.providers.conftest import LIMITS, Serve, a_push, pem
from tests.notifications.providers.server import Close, GoAway, Hang, Reset, Say, Server

KEY = ec.generate_private_key(ec.SECP256R1())
EXPIRED = Say(403, body=b'{"reason":"ExpiredProviderToken"}')


class Time:
    """Replaces the module's `time`."""

    def __init__(self) -> None:
        self.passed = 0.0

    def time(self) -> float:
        return time.time() + self.passed

    def monotonic(self) -> float:
        return 1_000 + self.passed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(apns, "time", clock)
    return clock


@pytest.fixture
def sandbox(serve: Serve) -> Server:
    return serve()


@pytest.fixture
def sender(server: Server, sandbox: Server, tls: SSLContext) -> Iterator[ApnsSender]:
    sender = ApnsSender(
        key=pem(KEY),
        key_id="KEY1234567",
        team_id="TEAM123456",
        topic="net.example.chat",
        production_url=server.url,
        sandbox_url=sandbox.url,
        tls=tls,
        limits=LIMITS,
    )
    yield sender
    sender.close()


def payload(server: Server) -> dict[str, Any]:
    body = json.loads(server.asked[-1].body)
    assert isinstance(body, dict)
    return body


def test_a_message_becomes_an_alert(server: Server, sandbox: Server, sender: ApnsSender) -> None:
    server.answer = lambda asked: Say(200, {"apns-id": asked.headers["apns-id"].upper()})
    push = a_push(title="Ana", body="hi", collapse_id="c1", thread_id="c1", seconds_to_live=60)
    before = int(time.time())
    assert sender.send(push) == Accepted(str(push.id).upper())
    asked = server.asked[0]
    assert asked.path == f"/3/device/{push.token}"
    headers = asked.headers
    assert headers["apns-topic"] == "net.example.chat"
    assert (headers["apns-push-type"], headers["apns-priority"]) == ("alert", "10")
    assert (headers["apns-id"], headers["apns-collapse-id"]) == (str(push.id), "c1")
    assert before + 60 <= int(headers["apns-expiration"]) <= before + 62
    assert payload(server) == {
        "aps": {
            "alert": {"title": "Ana", "body": "hi"},
            "sound": "default",
            "badge": 3,
            "mutable-content": 1,
            "thread-id": "c1",
        },
        "kind": "message",
        "conversation_id": "c1",
        "message_id": "m1",
        "sequence": "7",
        "badge": "3",
    }
    assert not sandbox.asked


def test_without_preview_a_generic_title_is_shown(server: Server, sender: ApnsSender) -> None:
    sender.send(a_push())
    assert payload(server)["aps"]["alert"] == {"title": "New message"}
    sender.send(a_push(kind="test"))
    assert payload(server)["aps"]["alert"] == {"title": "Chatsite: test"}
    assert "apns-collapse-id" not in server.asked[0].headers


def test_a_badge_sends_only_the_number(server: Server, sender: ApnsSender) -> None:
    sender.send(a_push(kind="badge", badge=0, title="never shown"))
    assert payload(server)["aps"] == {"badge": 0}
    headers = server.asked[0].headers
    assert (headers["apns-push-type"], headers["apns-priority"]) == ("alert", "5")


def test_a_sync_is_a_background_push(server: Server, sender: ApnsSender) -> None:
    sender.send(a_push(kind="sync", seconds_to_live=0))
    assert payload(server)["aps"] == {"content-available": 1}
    headers = server.asked[0].headers
    assert (headers["apns-push-type"], headers["apns-priority"]) == ("background", "5")
    assert headers["apns-expiration"] == "0"


def test_data_cannot_replace_the_aps_dictionary(server: Server, sender: ApnsSender) -> None:
    sender.send(a_push(data={"aps": "mine"}))
    assert payload(server)["aps"]["badge"] == 3


def test_a_sandbox_push_goes_to_the_sandbox_server(server: Server, sandbox: Server, sender: ApnsSender) -> None:
    assert sender.send(a_push(sandbox=True, token="../x y")) == Accepted()
    assert [asked.path for asked in sandbox.asked] == ["/3/device/..%2Fx%20y"]
    assert not server.asked


@pytest.mark.parametrize("character", ["a", "\U0001f600", "e\u0301", '"'])
def test_a_long_text_is_shortened_to_fit(server: Server, sender: ApnsSender, character: str) -> None:
    assert sender.send(a_push(title="Ana", body=character * 5_000)) == Accepted()
    assert 4_070 < len(server.asked[0].body) <= 4_096
    alert = payload(server)["aps"]["alert"]
    assert alert["title"] == "Ana"
    assert alert["body"].startswith(character * 100)
    assert set(alert["body"]) == {*character, "…"}


def test_too_long_data_is_refused_without_a_request(server: Server, sender: ApnsSender) -> None:
    assert sender.send(a_push(data={"x": "y" * 5_000})) == Refused("PayloadTooLarge")
    assert not server.asked


# --- Answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "answer"),
    [
        (410, "Unregistered", Dead("Unregistered")),
        (410, "ExpiredToken", Dead("ExpiredToken")),
        (410, "SomethingElse", Refused("SomethingElse")),
        (400, "BadDeviceToken", Refused("BadDeviceToken")),
        (400, "DeviceTokenNotForTopic", Refused("DeviceTokenNotForTopic")),
        (400, "Unregistered", Refused("Unregistered")),
        (403, "InvalidProviderToken", Busy("InvalidProviderToken")),
        (413, "PayloadTooLarge", Refused("PayloadTooLarge")),
        (429, "TooManyRequests", Busy("TooManyRequests", counts=False)),
        (429, "TooManyProviderTokenUpdates", Busy("TooManyProviderTokenUpdates")),
        (500, "InternalServerError", Busy("InternalServerError")),
        (503, "Shutdown", Busy("Shutdown")),
    ],
)
def test_an_answer_of_apns_gets_its_meaning(
    server: Server, sender: ApnsSender, status: int, reason: str, answer: Answer
) -> None:
    server.answer = lambda asked: Say(status, body=json.dumps({"reason": reason}).encode())
    assert sender.send(a_push()) == answer
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("timestamp", "since"),
    [
        (1_764_500_000_250, datetime.datetime(2025, 11, 30, 10, 53, 20, 250_000, datetime.UTC)),
        (None, None),
        ("1764500000250", None),
        (10**30, None),
        (float("nan"), None),
    ],
)
def test_a_dead_token_has_the_time_reported_by_apns(
    server: Server, sender: ApnsSender, timestamp: Any, since: datetime.datetime | None
) -> None:
    body = json.dumps({"reason": "Unregistered", "timestamp": timestamp}).encode()
    server.answer = lambda asked: Say(410, body=body)
    assert sender.send(a_push()) == Dead("Unregistered", since)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"reason": 5}', b"[" * 60_000])
def test_an_unreadable_answer_is_judged_by_its_status(server: Server, sender: ApnsSender, body: bytes) -> None:
    server.answer = lambda asked: Say(410, body=body)
    assert sender.send(a_push()) == Refused("status 410")
    server.answer = lambda asked: Say(503, {"retry-after": "30"}, body)
    assert sender.send(a_push()) == Busy("status 503", 30)


@pytest.mark.parametrize("behaviour", [Hang(), Close(), Reset(2), GoAway(last=1)])
def test_without_an_answer_the_result_is_busy(server: Server, sender: ApnsSender, behaviour: Any) -> None:
    server.answer = lambda asked: behaviour
    answer = sender.send(a_push())
    assert isinstance(answer, Busy)
    assert answer.counts
    assert len(server.asked) == 1


def test_an_unreachable_server_means_busy(server: Server, sender: ApnsSender) -> None:
    server.stop()
    assert sender.send(a_push()) == Busy("no connection")


# --- The provider token -----------------------------------------------------------------------


def bearer(server: Server, which: int = -1) -> str:
    scheme, _, token = server.asked[which].headers["authorization"].partition(" ")
    assert scheme == "bearer"
    return token


def test_the_provider_token_has_key_team_and_time(server: Server, sender: ApnsSender) -> None:
    sender.send(a_push())
    token = bearer(server)
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "KEY1234567", "typ": "JWT"}
    claims = jwt.decode(token, KEY.public_key(), algorithms=["ES256"])
    assert set(claims) == {"iss", "iat"}
    assert (claims["iss"], claims["iat"]) == ("TEAM123456", pytest.approx(time.time(), abs=5))


def test_the_provider_token_is_used_for_forty_minutes(server: Server, sender: ApnsSender, clock: Time) -> None:
    for minutes in (0, 39, 41, 80):
        clock.passed = minutes * 60
        sender.send(a_push())
    tokens = [bearer(server, which) for which in range(4)]
    assert tokens[0] == tokens[1] != tokens[2] == tokens[3]


def test_an_expired_provider_token_is_renewed_once(server: Server, sender: ApnsSender, clock: Time) -> None:
    sender.send(a_push())
    clock.passed = 21 * 60
    server.answer = lambda asked: EXPIRED
    assert sender.send(a_push()) == Busy("ExpiredProviderToken")
    tokens = [bearer(server, which) for which in range(3)]
    assert len(server.asked) == 3
    assert tokens[0] == tokens[1] != tokens[2]
    server.answer = lambda asked: Say()
    assert sender.send(a_push()) == Accepted()
    assert bearer(server) == tokens[2]


def test_the_provider_token_is_not_renewed_within_twenty_minutes(
    server: Server, sender: ApnsSender, clock: Time
) -> None:
    sender.send(a_push())
    clock.passed = 19 * 60
    server.answer = lambda asked: EXPIRED
    assert sender.send(a_push()) == Busy("ExpiredProviderToken")
    assert len(server.asked) == 2


def test_a_second_renewal_returns_the_new_token(clock: Time) -> None:
    token = ProviderToken(key=pem(KEY), key_id="K", team_id="T")
    old = token.current()
    clock.passed = 25 * 60
    new = token.instead_of(old)
    assert new is not None
    assert new != old
    assert token.instead_of(old) == new
    assert token.instead_of(new) is None


@pytest.mark.parametrize(
    "key", ["", "nonsense", pem(rsa.generate_private_key(65_537, 2_048)), pem(ec.generate_private_key(ec.SECP384R1()))]
)
def test_an_invalid_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        ApnsSender(key=key, key_id="K", team_id="T", topic="x")
