"""Group commit on the event loop: the writes that queue up while one batch is written are the next batch.

An ordinary write goes through the pipeline and needs no thread. A write that cannot go on there goes to lanes with
threads (`lanes`), which wait, retry and split: another transaction has locked the conversation, a repetition was
committed at the same moment, or the connection broke. A write whose commit broke goes there, too: if it was
committed, the lanes find it as a repetition. While a write of a key is with the threads, all later writes of that key
go there as well, which keeps the order of the key.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Generic

from realtime.database.lanes import Done, Lanes
from realtime.fanout.door import announce_committed
from realtime.wire.announcements import Announcement
from realtime.wire.errors import DomainError
from realtime.writes.batches import BatchDecision, BatchWrite, Result, Wanted
from realtime.writes.pipeline import Pipeline

log = logging.getLogger("chatsite.lanes")

Queued = tuple[Hashable, Wanted, Done[Result]]


class PipelinedLane(Generic[Wanted, Result]):
    """One queue, one pipeline, at most one batch under way; and lanes with threads for writes that must wait.

    One lane is faster than several, because a batch of twice the size costs less than two batches.
    """

    def __init__(
        self, write: BatchWrite[Wanted, Result], by_threads: Lanes[Wanted, Result], *, most: int = 128
    ) -> None:
        """Put a lane before `write`, in batches of 1 to `most` writes; `by_threads` are the lanes with threads."""
        self._write = write
        self._by_threads = by_threads
        self._most = most
        self._pipeline = Pipeline()
        self._queued: list[Queued[Wanted, Result]] = []
        self._writing: asyncio.Task[None] | None = None
        self._unanswered = 0
        # How many writes of a key are with the threads.
        self._with_threads: Counter[Hashable] = Counter()

    def submit(self, key: Hashable, item: Wanted, done: Done[Result]) -> None:
        """Queue a write; `done` is called on the event loop with its result or its error."""
        if key in self._with_threads or not self._pipeline.ready:
            self._to_threads((key, item, done))
            return
        self._queued.append((key, item, done))
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write_queued())

    @property
    def idle(self) -> bool:
        """Whether no write is queued, under way, or about to be answered."""
        return self._writing is None and not self._unanswered and self._by_threads.idle

    def close(self) -> None:
        """Close the connection; the next write opens one again."""
        self._pipeline.close()

    async def _write_queued(self) -> None:
        try:
            while batch := self._take():
                try:
                    decision = await self._pipeline.write(self._write, [item for _, item, _ in batch])
                except Exception as error:  # noqa: BLE001 - the threads try again; they log and answer a lasting error
                    log.debug("a batch of %d goes to threads: %s", len(batch), type(error).__name__)
                    self._to_threads(*batch)
                else:
                    self._answer(batch, decision)
        finally:
            self._writing = None

    def _take(self) -> list[Queued[Wanted, Result]]:
        """Return the next batch; writes whose key is with the threads go there."""
        while self._queued:
            taken, self._queued = self._queued[: self._most], self._queued[self._most :]
            self._to_threads(*(queued for queued in taken if queued[0] in self._with_threads))
            if batch := [queued for queued in taken if queued[0] not in self._with_threads]:
                return batch
        return []

    def _to_threads(self, *batch: Queued[Wanted, Result]) -> None:
        for key, item, done in batch:
            self._with_threads[key] += 1
            self._by_threads.submit(key, item, partial(self._answered_by_thread, key, done))

    def _answered_by_thread(self, key: Hashable, done: Done[Result], result: Result | DomainError) -> None:
        self._with_threads[key] -= 1
        if not self._with_threads[key]:
            del self._with_threads[key]
        done(result)

    def _answer(self, batch: Sequence[Queued[Wanted, Result]], decision: BatchDecision[Result]) -> None:
        answered = []
        for queued, answer in zip(batch, decision.answers, strict=True):
            if answer is None:
                self._to_threads(queued)
            else:
                answered.append((queued[2], answer))
        self._unanswered += 1
        # In the next turn of the loop: first the next batch starts, so that the database is not idle meanwhile.
        asyncio.get_running_loop().call_soon(self._finish, answered, decision.announcements)

    def _finish(
        self, answered: Sequence[tuple[Done[Result], Result | DomainError]], announcements: Sequence[Announcement]
    ) -> None:
        self._unanswered -= 1
        announce_committed(announcements)
        for done, answer in answered:
            try:
                done(answer)
            except Exception:
                log.exception("an answer could not be given")
