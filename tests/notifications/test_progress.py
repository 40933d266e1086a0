"""A table is looked through once: also what becomes visible late."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from messaging.models import ReceiptChange
from notifications.services.progress import looking_through
from realtime.database import clock
from tests.making import direct, people

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("progress")]


@pytest.fixture
def writes() -> Iterator[Callable[[], int]]:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)

    def write() -> int:
        move = ReceiptChange.objects.create(
            conversation=talk, user=ana, kind="read", from_sequence=0, up_to_sequence=1, moved_at=clock.now()
        )
        return move.pk

    return write


def looked_at() -> list[int]:
    with looking_through("receipts", ReceiptChange) as span:
        assert span is not None
        return list(
            ReceiptChange.objects.filter(id__gt=span[0], id__lte=span[1]).order_by("id").values_list("id", flat=True)
        )


@contextmanager
def uncommitted(write: Callable[[], int]) -> Iterator[int]:
    """Have somebody else write a row and keep the transaction open within the block."""
    written, may_commit, ids = threading.Event(), threading.Event(), []

    def work() -> None:
        with transaction.atomic():
            ids.append(write())
            written.set()
            may_commit.wait(10)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert written.wait(10)
    try:
        yield ids[0]
    finally:
        may_commit.set()
        thread.join()


def test_a_row_is_seen_again_only_until_it_is_certain(writes: Callable[[], int]) -> None:
    first = writes()
    assert looked_at() == [first]
    second = writes()
    assert second in looked_at()
    looked_at()
    assert looked_at() == []


def test_what_commits_late_is_not_overlooked(writes: Callable[[], int]) -> None:
    with uncommitted(writes) as late:
        newer = writes()
        assert newer > late
        for _ in range(5):
            assert looked_at() == [newer]
    assert looked_at() == [late, newer]
    looked_at()
    looked_at()
    assert looked_at() == []


def test_somebody_at_a_time(writes: Callable[[], int]) -> None:
    looked, others = threading.Event(), []

    def look() -> None:
        with looking_through("receipts", ReceiptChange) as span:
            others.append(span)
        connection.close()
        looked.set()

    with looking_through("receipts", ReceiptChange):
        threading.Thread(target=look).start()
        assert looked.wait(10)
    assert others == [None]


def test_after_an_outage_it_goes_on_slice_by_slice(writes: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.services.progress.SLICE", 2)
    written = [writes() for _ in range(7)]
    looks = [looked_at() for _ in range(12)]
    assert max(map(len, looks)) <= 4
    assert sorted({id for look in looks for id in look}) == written
    assert looks[-1] == []


def test_ids_that_nobody_has_hold_nothing_up(writes: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.services.progress.SLICE", 2)
    for _ in range(10):
        ReceiptChange.objects.filter(pk=writes()).delete()
    written = writes()
    assert looked_at() == [written]


def test_what_commits_late_below_a_gap_takes_nothing_from_others(
    writes: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.services.progress.SLICE", 2)
    with uncommitted(writes) as late:
        for _ in range(10):
            ReceiptChange.objects.filter(pk=writes()).delete()
        with uncommitted(writes) as later:
            newer = writes()
            assert looked_at() == [newer]
    seen = {id for _ in range(6) for id in looked_at()}
    assert seen == {late, later, newer}
