"""A batch write: one transaction of two round trips, whoever drives it.

First what the batch must know, read under its locks; from that a plain function decides; then what it decided
to write, with the commit. The reads and the decision belong to the app (`messaging.services.send`). They are
driven by a thread over Django's connection (`transacted`), or by the event loop (`pipeline`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db import connection, transaction

from realtime.database.crash import crash_point
from realtime.database.rows import Statement, execute, pipelined
from realtime.fanout.door import announce
from realtime.wire.errors import DomainError
from realtime.wire.items import Item

Wanted = TypeVar("Wanted")
Result = TypeVar("Result")
# The rows of each read, in order.
Found = Sequence[Sequence[Sequence[Any]]]


@dataclass(slots=True)
class Decision(Generic[Result]):
    """What a batch comes to.

    `answers` has one for each wanted write, in order; None for one whose rows somebody else has locked, which
    happens only where the reads did not wait. `writes` are committed before anybody learns of `announcements`
    and answers.
    """

    answers: list[Result | DomainError | None]
    writes: list[Statement] = field(default_factory=list)
    announcements: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BatchWrite(Generic[Wanted, Result]):
    """How a batch of something is written.

    `reads(batch, wait)` returns the statements to begin with, the first of which takes the locks; without `wait`
    rows that somebody else has locked are left out. `decide(batch, found)` works in memory only.
    """

    reads: Callable[[Sequence[Wanted], bool], list[Statement]]
    decide: Callable[[Sequence[Wanted], Found], Decision[Result]]


def transacted(
    write: BatchWrite[Wanted, Result], batch: Sequence[Wanted], *, wait: bool = True
) -> list[Result | DomainError | None]:
    """Write a batch on Django's connection, in this thread, inside a transaction if there is one.

    :raises django.db.DatabaseError: nothing was written, or, from the commit, perhaps all of it.
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
