"""A batch write: one transaction of two round trips, run by a thread or by the event loop.

The first trip takes the locks and reads what the batch needs. A plain function decides from that. The second trip
writes what it decided, and commits. The app supplies the reads and the function (`messaging.services.send`). A
thread runs them on Django's connection (`transacted`), the event loop on its own (`pipeline`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db import connection, transaction

from realtime.database.crash import crash_point
from realtime.database.rows import Statement, execute, pipelined
from realtime.fanout.door import announce
from realtime.wire.announcements import Announcement
from realtime.wire.errors import DomainError

Wanted = TypeVar("Wanted")
Result = TypeVar("Result")
# The rows of each read, in order.
Found = Sequence[Sequence[Sequence[Any]]]


@dataclass(slots=True)
class BatchDecision(Generic[Result]):
    """What to write for a batch, and what to answer and publish after the commit.

    `answers` has one for each wanted write, in order. None: another transaction has locked its rows; this happens
    only when the reads did not wait for locks.
    """

    answers: list[Result | DomainError | None]
    writes: list[Statement] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BatchWrite(Generic[Wanted, Result]):
    """How to write a batch of one kind of write.

    `reads(batch, wait)` returns the first statements, of which the first takes the locks; without `wait` they skip
    rows that another transaction has locked. `decide(batch, found)` gets the rows and works in memory only.
    """

    reads: Callable[[Sequence[Wanted], bool], list[Statement]]
    decide: Callable[[Sequence[Wanted], Found], BatchDecision[Result]]


def transacted(
    write: BatchWrite[Wanted, Result], batch: Sequence[Wanted], *, wait: bool = True
) -> list[Result | DomainError | None]:
    """Write a batch on Django's connection, in this thread, inside the surrounding transaction if there is one.

    :raises django.db.DatabaseError: nothing was written; if the commit raised it, perhaps everything was.
    """
    with pipelined(), transaction.atomic():
        cursors = []
        for read in write.reads(batch, wait):
            cursors.append(cursor := connection.cursor())
            cursor.execute(read.text, read.parameters)
        decision = write.decide(batch, [cursor.fetchall() for cursor in cursors])
        if decision.writes:
            execute(decision.writes)
            crash_point("after_insert")
            announce(decision.announcements)
        crash_point("before_commit")
    return decision.answers
