"""Token buckets, and the origins that may use a cookie."""

from typing import Any

import pytest

from messaging.rates import message_wait
from realtime.socket import rate
from realtime.socket.origin import origin_is_allowed
from realtime.socket.rate import Bucket, Buckets
from tests.clocks import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all buckets."""
    clock = Clock()
    monkeypatch.setattr(rate, "time", clock)
    return clock


def test_a_full_bucket_gives_its_burst_then_says_how_long_to_wait(clock: Clock) -> None:
    bucket = Bucket(rate=2, burst=3)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == pytest.approx(0.5)
    clock.now += 0.5
    assert bucket.take() == 0
    assert bucket.take() > 0


def test_it_never_holds_more_than_its_burst(clock: Clock) -> None:
    bucket = Bucket(rate=100, burst=2)
    clock.now += 3_600
    assert [bool(bucket.take()) for _ in range(3)] == [False, False, True]


def test_each_person_has_an_allowance_of_their_own(clock: Clock, limits: Any) -> None:
    limits(messages_per_second=1, messages_burst=2)
    assert [message_wait("rate-ana") for _ in range(2)] == [0, 0]
    assert message_wait("rate-ana") == pytest.approx(1)
    assert message_wait("rate-ben") == 0


def test_to_ask_how_long_to_wait_takes_nothing(clock: Clock) -> None:
    buckets = Buckets()
    assert buckets.wait("ana") == 0, "who never took anything"
    buckets.take("ana", rate=1, burst=2)
    assert [buckets.wait("ana") for _ in range(3)] == [0, 0, 0]
    buckets.take("ana", rate=1, burst=2)
    assert [buckets.wait("ana") for _ in range(2)] == [pytest.approx(1), pytest.approx(1)]
    clock.now += 1
    assert buckets.wait("ana") == 0


def test_what_is_charged_need_not_be_there(clock: Clock) -> None:
    buckets = Buckets()
    buckets.charge("ana", 3)
    assert buckets.wait("ana") == 0, "who never took anything has nothing to be charged"
    buckets.take("ana", rate=1, burst=4)
    buckets.charge("ana", 3)
    assert buckets.wait("ana") == pytest.approx(1)
    buckets.charge("ana", 2)
    assert buckets.wait("ana") == pytest.approx(3)
    buckets.charge("ana", 100)
    assert buckets.wait("ana") == pytest.approx(5), "as if the bucket were empty twice"
    clock.now += 3_600
    buckets.charge("ana", 3)
    buckets.charge("ana", 1)
    assert buckets.wait("ana") == pytest.approx(1), "it had filled up before, and not further"


def test_who_took_longest_ago_is_forgotten_first(clock: Clock) -> None:
    buckets = Buckets(most=2)
    for name in ("ana", "ben", "ana", "cleo"):
        buckets.take(name, rate=1, burst=2)
    assert buckets.take("ana", rate=1, burst=2) > 0, "is still known"
    assert [buckets.take("ben", rate=1, burst=2) for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://chat.example.org", "inner:8000", True),
        ("HTTPS://CHAT.EXAMPLE.ORG", "inner:8000", True),
        ("http://localhost:8000", "localhost:8000", True),
        ("https://testserver", "testserver", True),
        ("http://testserver", "TestServer", True),
        ("https://chat.example.org.evil.example", "testserver", False),
        ("https://evil.example", "testserver", False),
        ("https://evil.example", "evil.example", False),
        ("http://testserver:81", "testserver", False),
        ("ftp://testserver", "testserver", False),
        ("null", "testserver", False),
        ("https://", "", False),
        pytest.param("https://[::1", "testserver", False, id="broken brackets"),
        ("", "testserver", False),
        (None, "testserver", False),
        ("http://testserver", None, False),
    ],
)
def test_a_cookie_is_for_pages_of_ours(origin: str | None, host: str | None, allowed: bool) -> None:
    assert origin_is_allowed(origin, host) is allowed
