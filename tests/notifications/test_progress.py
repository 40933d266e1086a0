"""A sweep reads each row of a table once, also rows that become visible late."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from messaging.models import ReceiptChange
from notifications.services.progress import new_ids
from realtime.database import clock
from tests.making import direct, people
from tests.waiting import DEADLINE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("progress")]


@pytest.fixture
def write_row() -> Iterator[Callable[[], int]]:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)

    def write() -> int:
        move = ReceiptChange.objects.create(
            conversation=talk, user=ana, kind="read", from_sequence=0, up_to_sequence=1, moved_at=clock.now()
        )
        return move.pk

    return write


def seen_rows() -> list[int]:
    with new_ids("receipts", ReceiptChange) as span:
        assert span is not None
        return list(
            ReceiptChange.objects.filter(id__gt=span[0], id__lte=span[1]).order_by("id").values_list("id", flat=True)
        )


@contextmanager
def uncommitted(write: Callable[[], int]) -> Iterator[int]:
    """Write a row in another thread, and keep its transaction open within the block."""
    written, may_commit, ids = threading.Event(), threading.Event(), []

    def work() -> None:
        with transaction.atomic():
            ids.append(write())
            written.set()
            may_commit.wait(DEADLINE)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert written.wait(DEADLINE)
    try:
        yield ids[0]
    finally:
        may_commit.set()
        thread.join()


def test_a_row_is_repeated_only_while_earlier_ones_may_commit(write_row: Callable[[], int]) -> None:
    first = write_row()
    assert seen_rows() == [first]
    second = write_row()
    assert second in seen_rows()
    seen_rows()
    assert seen_rows() == []


def test_a_row_that_commits_late_is_found(write_row: Callable[[], int]) -> None:
    with uncommitted(write_row) as late:
        newer = write_row()
        assert newer > late
        for _ in range(5):
            assert seen_rows() == [newer]
    assert seen_rows() == [late, newer]
    seen_rows()
    seen_rows()
    assert seen_rows() == []


def test_one_process_at_a_time_reads_a_table(write_row: Callable[[], int]) -> None:
    tried, others = threading.Event(), []

    def look() -> None:
        with new_ids("receipts", ReceiptChange) as span:
            others.append(span)
        connection.close()
        tried.set()

    with new_ids("receipts", ReceiptChange):
        threading.Thread(target=look).start()
        assert tried.wait(DEADLINE)
    assert others == [None]


def test_after_an_outage_rows_are_read_slice_by_slice(
    write_row: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.services.progress.SLICE", 2)
    written = [write_row() for _ in range(7)]
    looks = [seen_rows() for _ in range(12)]
    assert max(map(len, looks)) <= 4
    assert sorted({id for look in looks for id in look}) == written
    assert looks[-1] == []


def test_unused_ids_do_not_delay_later_rows(write_row: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.services.progress.SLICE", 2)
    for _ in range(10):
        ReceiptChange.objects.filter(pk=write_row()).delete()
    written = write_row()
    assert seen_rows() == [written]


def test_late_commits_below_a_gap_lose_no_rows(write_row: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.services.progress.SLICE", 2)
    with uncommitted(write_row) as late:
        for _ in range(10):
            ReceiptChange.objects.filter(pk=write_row()).delete()
        with uncommitted(write_row) as later:
            newer = write_row()
            assert seen_rows() == [newer]
    seen = {id for _ in range(6) for id in seen_rows()}
    assert seen == {late, later, newer}
