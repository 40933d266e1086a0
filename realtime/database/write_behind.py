"""A write-behind buffer: records kept in memory, merged by key, bounded, and written in bulk by a tick.

For records that may be written some seconds late, and may be lost with the process. To record something on the path of
a message then costs no more than an entry in a dictionary.
"""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from realtime.database.threads import in_database_thread
from realtime.wire.errors import DATABASE_AWAY, TryAgain

log = logging.getLogger("chatsite.write_behind")

Key = TypeVar("Key")
Record = TypeVar("Record")


class WriteBehindBuffer(Generic[Key, Record]):
    """Records that wait to be written by `write`. They may be added from any thread.

    `merge` makes one record of an older and a newer one with the same key. The buffer holds at most `most` records and
    drops the oldest beyond that; records that the database refuses are dropped, too. `lost` counts both.
    """

    def __init__(
        self,
        write: Callable[[list[Record]], None],
        *,
        merge: Callable[[Record, Record], Record] = lambda _, newer: newer,
        most: int,
        seconds: float,
    ) -> None:
        """Make an empty buffer; `tick` writes it every `seconds`."""
        self.lost = 0
        self._write = write
        self._merge = merge
        self._most = most
        self._seconds = seconds
        self._records: dict[Key, Record] = {}
        self._lock = Lock()
        self._writing = Lock()
        self._written_at = 0.0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, key: Key, record: Record) -> None:
        """Add a record, to be written later."""
        with self._lock:
            older = self._records.get(key)
            self._records[key] = record if older is None else self._merge(older, record)
            self._drop_the_oldest()

    def write(self) -> None:
        """Write all records, in this thread. If the database is away, they stay in the buffer.

        :raises django.db.DatabaseError: they could not be written.
        """
        with self._writing:
            with self._lock:
                taken, self._records = self._records, {}
            if not taken:
                return
            try:
                self._write(list(taken.values()))
            except DATABASE_AWAY:
                with self._lock:
                    for key, newer in self._records.items():
                        older = taken.get(key)
                        taken[key] = newer if older is None else self._merge(older, newer)
                    self._records = taken
                    self._drop_the_oldest()
                raise
            except Exception:
                self.lost += len(taken)
                raise

    async def tick(self) -> None:
        """Write all records if `seconds` have passed since the last time."""
        now = time.monotonic()
        if not self._records or now - self._written_at < self._seconds:
            return
        self._written_at = now
        try:
            await self.flush()
        except TryAgain:
            log.warning("%d records wait for the database", len(self))

    async def flush(self) -> None:
        """Write all records now.

        :raises TryAgain: the database is away.
        """
        await in_database_thread(self.write)

    def _drop_the_oldest(self) -> None:
        while len(self._records) > self._most:
            del self._records[next(iter(self._records))]
            self.lost += 1
