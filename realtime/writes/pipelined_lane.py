"""Group commit on the event loop: what queues up while one batch is written is the next, and no thread is needed.

The ordinary case of a write is that nothing hinders it, and that case goes through a pipeline. Whatever is
hindered there goes by threads (`lanes`), which wait, retry and split: a conversation that somebody else has
locked, a repetition that was committed at the same moment, a connection that broke. What a broken commit
left open is settled by the same way, for a repeated write finds itself. While anything of a key is on that
way, all that comes after it takes it, too, so the order of a key is kept.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Generic

from realtime.database.lanes import Done, Lanes
from realtime.fanout.door import announce_committed
from realtime.wire.errors import DomainError
from realtime.wire.items import Item
from realtime.writes.batches import BatchWrite, Decision, Result, Wanted
from realtime.writes.pipeline import Pipeline

log = logging.getLogger("chatsite.lanes")

Queued = tuple[Hashable, Wanted, Done[Result]]


class PipelinedLane(Generic[Wanted, Result]):
    """One queue, one pipeline, at most one batch under way; and the lanes by threads for what is hindered there.

    One is faster than several: a batch of twice the size costs less than two.
    """

    def __init__(
        self, write: BatchWrite[Wanted, Result], by_threads: Lanes[Wanted, Result], *, most: int = 128
    ) -> None:
        """Put a lane before `write`, in batches of 1 to `most`."""
        self._write = write
        self._by_threads = by_threads
        self._most = most
        self._pipeline = Pipeline()
        self._queued: list[Queued[Wanted, Result]] = []
        self._writing: asyncio.Task[None] | None = None
        self._unanswered = 0
        # How many items of a key are with the threads.
        self._hindered: Counter[Hashable] = Counter()

    def submit(self, key: Hashable, item: Wanted, done: Done[Result]) -> None:
        """Queue an item; `done` is called on the event loop with its result or its error."""
        if key in self._hindered or not self._pipeline.ready:
            self._hinder((key, item, done))
            return
        self._queued.append((key, item, done))
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write_queued())

    @property
    def idle(self) -> bool:
        """Whether nothing is queued, being written, or about to be answered."""
        return self._writing is None and not self._unanswered and self._by_threads.idle

    def close(self) -> None:
        """Give up the connection; the next item opens one again."""
        self._pipeline.close()

    async def _write_queued(self) -> None:
        try:
            while batch := self._take():
                try:
                    decision = await self._pipeline.write(self._write, [item for _, item, _ in batch])
                except Exception as error:  # noqa: BLE001 - the threads try again, and say what is wrong if it stays so
                    log.debug("a batch of %d goes by threads: %s", len(batch), type(error).__name__)
                    self._hinder(*batch)
                else:
                    self._answer(batch, decision)
        finally:
            self._writing = None

    def _take(self) -> list[Queued[Wanted, Result]]:
        """Return the next batch; what belongs behind something hindered goes there."""
        while self._queued:
            taken, self._queued = self._queued[: self._most], self._queued[self._most :]
            self._hinder(*(queued for queued in taken if queued[0] in self._hindered))
            if batch := [queued for queued in taken if queued[0] not in self._hindered]:
                return batch
        return []

    def _hinder(self, *batch: Queued[Wanted, Result]) -> None:
        for key, item, done in batch:
            self._hindered[key] += 1
            self._by_threads.submit(key, item, partial(self._settle, key, done))

    def _settle(self, key: Hashable, done: Done[Result], result: Result | DomainError) -> None:
        self._hindered[key] -= 1
        if not self._hindered[key]:
            del self._hindered[key]
        done(result)

    def _answer(self, batch: Sequence[Queued[Wanted, Result]], decision: Decision[Result]) -> None:
        answered = []
        for queued, answer in zip(batch, decision.answers, strict=True):
            if answer is None:
                self._hinder(queued)
            else:
                answered.append((queued[2], answer))
        self._unanswered += 1
        # Not now: first the next batch starts, so that the database is not idle meanwhile.
        asyncio.get_running_loop().call_soon(self._finish, answered, decision.announcements)

    def _finish(self, answered: Sequence[tuple[Done[Result], Result | DomainError]], items: Sequence[Item]) -> None:
        self._unanswered -= 1
        announce_committed(items)
        for done, answer in answered:
            try:
                done(answer)
            except Exception:
                log.exception("an answer could not be given")
