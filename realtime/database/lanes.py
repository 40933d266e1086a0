"""Group commit: items that queue up during one transaction are written together by the next.

No timer and no fixed size: an idle lane writes a single item at once, a busy lane writes many
in one transaction. Items with the same key share a lane, which keeps their order. Look-ups of many
reconnecting clients are grouped in the same way.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from realtime.database import threads
from realtime.wire.errors import DomainError, TryAgain

log = logging.getLogger("chatsite.lanes")

Item = TypeVar("Item")
Result = TypeVar("Result")
Done = Callable[[Result | DomainError], None]


class Lanes(Generic[Item, Result]):
    """A few lanes in front of one batch function. Use it from the event loop only."""

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Result | DomainError]],
        *,
        count: int = 2,
        most: int = 128,
        submit: Callable[..., None] = threads.submit_write,
    ) -> None:
        """Make `count` lanes for `write`, which takes 1 to `most` items and returns a result for each, in order.

        `submit` starts a batch in a pool of threads.
        """
        self._write = write
        self._lanes: list[_Lane[Item, Result]] = [_Lane(self._batch, most, submit) for _ in range(count)]

    def submit(self, key: Hashable, item: Item, done: Done[Result]) -> None:
        """Queue an item; `done` is called on the event loop with its result or its error."""
        self._lanes[hash(key) % len(self._lanes)].add(item, done)

    async def run(self, key: Hashable, item: Item) -> Result:
        """Queue an item and wait for its result.

        :raises DomainError: the item's own error.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.submit(key, item, partial(_settle, future))
        try:
            return await future
        finally:
            del future  # the error refers to this frame; a reference back would be a cycle

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or being written."""
        return all(lane.idle for lane in self._lanes)

    def _batch(self, items: list[Item]) -> Sequence[Result | DomainError]:
        try:
            return threads.with_connection_care(self._write, items)
        except DomainError as error:
            return [error] * len(items)
        except Exception:
            log.exception("a batch of %d failed", len(items))
            return [TryAgain()] * len(items)


def _settle(future: asyncio.Future[Result], result: Result | DomainError) -> None:
    if future.done():
        return
    if isinstance(result, DomainError):
        future.set_exception(result)
    else:
        future.set_result(result)


class _Lane(Generic[Item, Result]):
    """One queue and at most one batch under way."""

    def __init__(
        self, batch: Callable[[list[Item]], Sequence[Result | DomainError]], most: int, submit: Callable[..., None]
    ) -> None:
        self._batch = batch
        self._most = most
        self._submit = submit
        self._queued: list[tuple[Item, Done[Result]]] = []
        self._writing = False

    @property
    def idle(self) -> bool:
        return not self._writing and not self._queued

    def add(self, item: Item, done: Done[Result]) -> None:
        self._queued.append((item, done))
        if not self._writing:
            self._start()

    def _start(self) -> None:
        taken, self._queued = self._queued[: self._most], self._queued[self._most :]
        self._writing = True
        self._submit(self._run, taken, asyncio.get_running_loop())

    def _run(self, taken: list[tuple[Item, Done[Result]]], loop: asyncio.AbstractEventLoop) -> None:
        results = self._batch([item for item, _ in taken])
        try:
            loop.call_soon_threadsafe(self._finish, taken, results)
        except RuntimeError:
            pass  # the loop is closed: the process ends and nobody waits

    def _finish(self, taken: list[tuple[Item, Done[Result]]], results: Sequence[Result | DomainError]) -> None:
        self._writing = False
        # The next batch starts before the answers go out, so that the database is not idle meanwhile.
        if self._queued:
            self._start()
        for (_, done), result in zip(taken, results, strict=True):
            try:
                done(result)
            except Exception:
                log.exception("an answer could not be given")
