"""One access token for all threads: fetched once, renewed in time, and renewed once more when it is refused."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ssl import SSLContext

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.providers import access
from notifications.providers.connection import Limits
from notifications.providers.fcm import FcmSender
from notifications.providers.push import Accepted, Answer, Busy
from tests.clocks import Clock
from tests.notifications.providers.conftest import a_push, pem
from tests.notifications.providers.google import Google, service_account
from tests.notifications.providers.server import Asked, Behaviour, Close, Say, Server


class Time(Clock):
    """The module's `time`, which the test advances."""

    def time(self) -> float:
        return time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(access, "time", clock)
    return clock


@pytest.fixture
def google(server: Server) -> Google:
    return Google(server)


@pytest.fixture
def sender(google: Google, tls: SSLContext) -> Iterator[FcmSender]:
    sender = FcmSender(service_account=service_account(google.url), url=google.url, tls=tls, limits=Limits(answer=20))
    yield sender
    sender.close()


def used(google: Google) -> list[str]:
    return [asked.headers["authorization"].removeprefix("Bearer ") for asked in google.pushes]


def test_a_token_is_used_until_shortly_before_it_expires(google: Google, sender: FcmSender, clock: Time) -> None:
    sender.send(a_push())
    clock.now += 3_599 - 301
    sender.send(a_push())
    assert used(google) == ["access-1", "access-1"]
    clock.now += 2
    sender.send(a_push())
    assert used(google)[-1] == "access-2"


def test_other_threads_use_the_old_token_during_a_renewal(google: Google, sender: FcmSender, clock: Time) -> None:
    sender.send(a_push())
    clock.now += 3_500
    asked, go = threading.Event(), threading.Event()

    def slowly(number: int) -> Say:
        asked.set()
        go.wait(5)
        return google.a_token(number)

    google.token_answer = slowly
    with ThreadPoolExecutor() as threads:
        fetching = threads.submit(sender.send, a_push())
        assert asked.wait(5)
        for _ in range(3):
            assert sender.send(a_push()) == Accepted()
        assert used(google) == ["access-1"] * 4
        go.set()
        assert fetching.result() == Accepted()
    assert used(google)[-1] == "access-2"
    assert len(google.tokens) == 2


def test_the_old_token_is_used_while_renewal_fails(google: Google, sender: FcmSender, clock: Time) -> None:
    sender.send(a_push())
    google.token_answer = lambda number: Say(503)
    clock.now += 3_400
    assert sender.send(a_push()) == Accepted()
    clock.now += 180
    assert sender.send(a_push()) == Busy("access token: status 503")
    assert used(google) == ["access-1", "access-1"]


def test_concurrent_sends_fetch_one_token(google: Google, sender: FcmSender) -> None:
    def slowly(number: int) -> Say:
        time.sleep(0.1)
        return google.a_token(number)

    google.token_answer = slowly
    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(sender.send, [a_push()] * 64)) == [Accepted()] * 64
    assert len(google.tokens) == 1


def test_concurrent_sends_share_a_failed_fetch(google: Google, sender: FcmSender) -> None:
    def slowly(number: int) -> Say:
        time.sleep(0.3)
        return Say(503, {"retry-after": "5"})

    google.token_answer = slowly
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(sender.send, [a_push()] * 16)) == [Busy("access token: status 503", 5)] * 16
    assert len(google.tokens) < 8
    google.token_answer = google.a_token
    assert sender.send(a_push()) == Accepted(), "a failure is not cached"


def test_a_refused_token_is_renewed_once(google: Google, sender: FcmSender) -> None:
    google.answer = lambda asked: Say(401, body=b'{"error": {"status": "UNAUTHENTICATED"}}')
    assert sender.send(a_push()) == Busy("UNAUTHENTICATED")
    assert used(google) == ["access-1", "access-2"]
    google.answer = lambda asked: Say()
    assert sender.send(a_push()) == Accepted()
    assert len(google.tokens) == 2


def test_concurrent_refusals_renew_the_token_once(google: Google, sender: FcmSender) -> None:
    sender.send(a_push())

    def answer(asked: Asked) -> Behaviour:
        return Say(401) if asked.headers["authorization"].endswith("access-1") else Say()

    google.answer = answer
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(sender.send, [a_push()] * 16)) == [Accepted()] * 16
    assert len(google.tokens) == 2


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        (
            Say(400, body=b'{"error": "invalid_grant", "error_description": "x"}'),
            Busy("access token: invalid_grant"),
        ),
        (Say(401, body=b'{"error": "invalid_client"}'), Busy("access token: invalid_client")),
        (Say(404, body=b"<html>"), Busy("access token: status 404")),
        (Say(307, {"location": "https://169.254.169.254/"}), Busy("access token: status 307")),
        (Say(429, {"retry-after": "60"}), Busy("access token: status 429", 60)),
        (Say(503), Busy("access token: status 503")),
        (Say(200, body=b"{}"), Busy("access token: nonsense")),
        (Say(200, body=b"nonsense"), Busy("access token: nonsense")),
        (Close(), Busy("access token: broken off, or nonsense")),
    ],
)
def test_without_a_token_the_answer_is_busy(
    google: Google, sender: FcmSender, behaviour: Behaviour, answer: Answer
) -> None:
    google.token_answer = lambda number: behaviour
    assert sender.send(a_push()) == answer
    assert not google.pushes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "5",
        json.dumps({"project_id": "x", "client_email": "y", "private_key": 5}),
        service_account("https://localhost", private_key="nonsense"),
        service_account("https://localhost", private_key=pem(ec.generate_private_key(ec.SECP256R1()))),
        service_account("localhost"),
    ],
)
def test_an_invalid_service_account_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        FcmSender(service_account=text)
