"""The queue: how its rows are enqueued, claimed, and put off or finished, for fan-out, delivery and digest alike.

The rows of `FanOut`, `Delivery` and `Digest` are the queue. A Celery task carries only the key of a row that is due: if
a task is lost, the row is enqueued again; of two tasks for one row, the second finds nothing to claim.
"""

import datetime
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q, QuerySet

from notifications.models import Delivery, Digest
from notifications.models.queue import QueueRow
from realtime.database import clock
from realtime.database.rows import Columns, Statement, one_id, one_moment, pipelined

# A row whose task has not claimed it for so long is enqueued again: the broker may have lost the task.
REQUEUE_SECONDS = 20
# At most so many due rows of one kind, behind one breaker, are in the broker. More would only wait there, be enqueued
# again and again, and delay others. Each second a sweep enqueues as many as were done.
MOST_QUEUED = 1_000

Row = TypeVar("Row", bound=models.Model)
LeasedRow = TypeVar("LeasedRow", Delivery, Digest)


# --- Enqueueing ---------------------------------------------------------------------------


def enqueue(rows: QuerySet[Any], *, most: int = MOST_QUEUED) -> list[UUID]:
    """Return the keys of the due rows for which the caller is to make tasks, the first due first; set `queued_at`.

    Only the first `MOST_QUEUED` due rows are looked at. Those among them that were enqueued lately are left out.
    """
    now = clock.now()
    lost = now - datetime.timedelta(seconds=REQUEUE_SECONDS)
    table = rows.model._default_manager
    first = rows.filter(next_at__lte=now).order_by("next_at").values("pk")[:MOST_QUEUED]
    with transaction.atomic():
        wanted = table.filter(Q(queued_at=None) | Q(queued_at__lt=lost), pk__in=first).order_by("next_at")
        keys = list(wanted.select_for_update(skip_locked=True).values_list("pk", flat=True)[:most])
        if keys:
            table.filter(pk__in=keys).update(queued_at=now)
    return keys


def take_back(model: type[QueueRow], keys: Iterable[UUID]) -> None:
    """Let the next sweep enqueue these rows again: the broker did not take their tasks."""
    model._default_manager.filter(pk__in=keys).update(queued_at=None)


# --- Claiming -----------------------------------------------------------------------------


def lock(rows: QuerySet[Row]) -> Row | None:
    """Return the first of these rows, locked until the transaction ends; None if there is none or a worker has it.

    For work that is one transaction. If the worker dies, the lock ends with its connection.
    """
    return rows.select_for_update(skip_locked=True).first()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a claimed row: final, or to be worked on again at `next_at`."""

    outcome: str
    next_at: datetime.datetime | None = None
    reason: str = ""

    @classmethod
    def again(cls, outcome: str, *, seconds: float, reason: str = "") -> "Result":
        """Return the result of a row that is worked on again after so many seconds."""
        return cls(outcome, clock.now() + datetime.timedelta(seconds=seconds), reason)

    @property
    def is_final(self) -> bool:
        """Whether the row is done."""
        return self.next_at is None


class Leases(Generic[LeasedRow]):
    """Claims rows of one table for a number of seconds each, and writes their results while the lease holds.

    For work that talks to others between two transactions. `seconds` is longer than the work takes; if the worker
    dies, the row is due again after that. `on_claim` are further assignments in SQL. `written` are the columns that
    the work changes, besides those of a `Result`.
    """

    def __init__(self, model: type[LeasedRow], *written: str, seconds: float, on_claim: str) -> None:
        key = model._meta.pk.attname
        self._seconds = seconds
        self._table = model._meta.db_table
        self._all: Columns[LeasedRow] = Columns.of_all(model)
        self._names = (key, "outcome", "reason", "next_at", *written)
        self._written: Columns[LeasedRow] = Columns(model, *self._names)
        self._queued_at = model._meta.get_field("queued_at").column
        self._claim = (
            f"UPDATE {self._table} SET next_at = %s, {self._queued_at} = NULL, {on_claim} "  # noqa: S608 - names only
            f"WHERE {key} = %s AND next_at <= %s RETURNING {self._all.of(self._table)}"
        )

    def claim(self, key: UUID) -> LeasedRow | None:
        """Return the row, whose `next_at` is now the end of the lease; None if it is not due, or a worker has it."""
        claimed = self.claim_and_read(key, None)
        return claimed[0] if claimed else None

    def claim_and_read(
        self, key: UUID, reading: Callable[[datetime.datetime, datetime.datetime], Statement] | None
    ) -> tuple[LeasedRow, list[Any]] | None:
        """Claim a row; return it with what a statement reads in the same round trip, after the commit of the claim.

        `reading` is given the end of the lease and the time, and returns the statement.
        """
        now = clock.now()
        lease = now + datetime.timedelta(seconds=self._seconds)
        statement = reading(lease, now) if reading is not None else None
        with pipelined():
            claim, read = connection.cursor(), connection.cursor()
            claim.execute(self._claim, [one_moment(lease), one_id(key), one_moment(now)])
            if statement is not None:
                # The claim is committed before the read: of two workers that claim at once, one sees the other's claim.
                with pipelined():
                    read.execute(statement.text, statement.parameters)
        claimed = self._all.converted(claim.fetchall())
        rows = read.fetchall() if statement is not None else []
        return (self._all.instance(claimed[0]), rows) if claimed else None

    def write(self, row: LeasedRow, result: Result) -> CursorWrapper:
        """Set the result on a claimed row and write it; the cursor's `rowcount` is 0 if the lease has run out."""
        lease, row.next_at = row.next_at, result.next_at
        row.outcome, row.reason = result.outcome, result.reason[:200]
        assert lease is not None
        statement: Statement = self._written.update([[getattr(row, name) for name in self._names]])
        cursor = connection.cursor()
        cursor.execute(f"{statement.text} AND {self._table}.next_at = %s", [*statement.parameters, one_moment(lease)])
        return cursor


# --- Retrying -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BackOff:
    """The pause after a failed attempt: `first` seconds, then twice as long each time, `most` at last.

    Of that pause a random share is waited, at least `least_share`, so that rows that failed together are spread.
    """

    first: float
    most: float
    least_share: float = 1.0

    def pause(self, attempts: int, *, most: float | None = None) -> float:
        """Return how many seconds to wait after so many attempts, 1 or more; `most` may be lower for once."""
        whole = min(self.most if most is None else most, self.first * 2.0 ** min(attempts - 1, 10))
        return whole * random.uniform(self.least_share, 1)  # noqa: S311 - no secret
