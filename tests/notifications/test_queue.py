"""Rows of the queue: claimed by one worker at a time, written while its lease holds, put off for longer each time."""

import datetime
from typing import Any

import pytest

from notifications.models import Digest
from notifications.services.queue import BackOff, Leases, Result
from realtime.database import clock
from tests.making import person

pytestmark = pytest.mark.django_db(transaction=True)

LEASES: Leases[Digest] = Leases(Digest, "attempts", seconds=60, on_claim="attempts = attempts + 1")


@pytest.fixture
def digest() -> Any:
    return Digest.objects.create(user=person("ben"), next_at=clock.now(), queued_at=clock.now())


def test_a_claimed_row_is_not_claimed_again_before_its_lease_ends(digest: Any) -> None:
    claimed = LEASES.claim(digest.pk)
    assert claimed is not None
    assert (claimed.attempts, claimed.queued_at) == (1, None)
    assert LEASES.claim(digest.pk) is None
    Digest.objects.update(next_at=clock.now())
    again = LEASES.claim(digest.pk)
    assert again is not None
    assert again.attempts == 2


def test_a_row_that_is_not_due_is_not_claimed(digest: Any) -> None:
    for next_at in (clock.now() + datetime.timedelta(minutes=1), None):
        Digest.objects.update(next_at=next_at)
        assert LEASES.claim(digest.pk) is None


def test_a_result_is_written_while_the_lease_holds(digest: Any) -> None:
    claimed = LEASES.claim(digest.pk)
    assert claimed is not None
    assert LEASES.write(claimed, Result(Digest.Outcome.REFUSED, reason="x" * 300)).rowcount == 1
    digest.refresh_from_db()
    assert (digest.outcome, digest.reason, digest.next_at) == ("refused", "x" * 200, None)


def test_a_result_is_not_written_after_another_worker_claimed_the_row(digest: Any) -> None:
    claimed = LEASES.claim(digest.pk)
    lease = clock.now() + datetime.timedelta(minutes=5)
    Digest.objects.update(next_at=lease)
    assert claimed is not None
    assert LEASES.write(claimed, Result(Digest.Outcome.SENT)).rowcount == 0
    digest.refresh_from_db()
    assert (digest.outcome, digest.next_at) == ("waiting", lease)


def test_a_pause_doubles_up_to_its_limit() -> None:
    exact = BackOff(first=30, most=3600)
    assert [exact.pause(attempts) for attempts in (1, 2, 3, 7, 8, 1_000)] == [30, 60, 120, 1920, 3600, 3600]
    assert exact.pause(8, most=100) == 100
    spread = {BackOff(first=2, most=300, least_share=0.5).pause(4) for _ in range(100)}
    assert 8 <= min(spread) < max(spread) <= 16
