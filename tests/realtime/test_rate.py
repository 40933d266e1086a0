"""Token buckets, and the origins that may use a cookie."""

from typing import Any

import pytest

from messaging.rates import take_message
from realtime.socket import rate
from realtime.socket.origin import origin_is_allowed
from realtime.socket.rate import Bucket, Buckets
from realtime.wire.errors import DomainError
from tests.clocks import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all buckets."""
    clock = Clock()
    monkeypatch.setattr(rate, "time", clock)
    return clock


def test_after_its_burst_a_bucket_returns_the_wait(clock: Clock) -> None:
    bucket = Bucket(rate=2, burst=3)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == pytest.approx(0.5)
    clock.now += 0.5
    assert bucket.take() == 0
    assert bucket.take() > 0


def test_a_bucket_never_holds_more_than_its_burst(clock: Clock) -> None:
    bucket = Bucket(rate=100, burst=2)
    clock.now += 3_600
    assert [bool(bucket.take()) for _ in range(3)] == [False, False, True]


def test_each_user_has_a_bucket_of_their_own(clock: Clock, limits: Any) -> None:
    limits(messages_per_second=1, messages_burst=2)
    for _ in range(2):
        take_message("rate-ana")
    with pytest.raises(DomainError) as refused:
        take_message("rate-ana")
    assert (refused.value.code, refused.value.retry_after) == ("rate_limited", pytest.approx(1))
    take_message("rate-ben")


def test_asking_for_the_wait_takes_nothing(clock: Clock) -> None:
    buckets = Buckets()
    assert buckets.wait("ana") == 0, "an unknown key need not wait"
    buckets.take("ana", rate=1, burst=2)
    assert [buckets.wait("ana") for _ in range(3)] == [0, 0, 0]
    buckets.take("ana", rate=1, burst=2)
    assert [buckets.wait("ana") for _ in range(2)] == [pytest.approx(1), pytest.approx(1)]
    clock.now += 1
    assert buckets.wait("ana") == 0


def test_a_charge_may_exceed_the_content_of_the_bucket(clock: Clock) -> None:
    buckets = Buckets()
    buckets.charge("ana", 3)
    assert buckets.wait("ana") == 0, "an unknown key has nothing to be charged"
    buckets.take("ana", rate=1, burst=4)
    buckets.charge("ana", 3)
    assert buckets.wait("ana") == pytest.approx(1)
    buckets.charge("ana", 2)
    assert buckets.wait("ana") == pytest.approx(3)
    buckets.charge("ana", 100)
    assert buckets.wait("ana") == pytest.approx(5), "a debt is limited to one burst"
    clock.now += 3_600
    buckets.charge("ana", 3)
    buckets.charge("ana", 1)
    assert buckets.wait("ana") == pytest.approx(1), "the bucket had refilled to its burst and no further"


def test_the_least_recently_used_bucket_is_forgotten_first(clock: Clock) -> None:
    buckets = Buckets(most=2)
    for name in ("ana", "ben", "ana", "cleo"):
        buckets.take(name, rate=1, burst=2)
    assert buckets.take("ana", rate=1, burst=2) > 0, "the bucket of ana is still known"
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
def test_only_allowed_origins_may_use_a_cookie(origin: str | None, host: str | None, allowed: bool) -> None:
    assert origin_is_allowed(origin, host) is allowed
