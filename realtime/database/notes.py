"""What a process is still to write down: merged by key, bounded, and written in bulk by a tick.

For records that may come some seconds late, and may be lost with the process. What is noted on the way of a message
costs it a line in memory.
"""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from realtime.database.threads import in_database_thread
from realtime.wire.errors import DATABASE_AWAY, TryAgain

log = logging.getLogger("chatsite.notes")

Key = TypeVar("Key")
Note = TypeVar("Note")


class Notes(Generic[Key, Note]):
    """Notes of which `write` makes rows. They may be added from any thread.

    `merge` says what an older and a newer note of one key come to. Of more than `most` notes that wait, the oldest are
    lost, and so are those that cannot be written at all; they are counted in `lost`.
    """

    def __init__(
        self,
        write: Callable[[list[Note]], None],
        *,
        merge: Callable[[Note, Note], Note] = lambda _, newer: newer,
        most: int,
        seconds: float,
    ) -> None:
        """Put notes before `write`, which is given all that wait every so many seconds."""
        self.lost = 0
        self._write = write
        self._merge = merge
        self._most = most
        self._seconds = seconds
        self._notes: dict[Key, Note] = {}
        self._lock = Lock()
        self._writing = Lock()
        self._looked_at = 0.0

    def __len__(self) -> int:
        return len(self._notes)

    def add(self, key: Key, note: Note) -> None:
        """Note something, to be written later."""
        with self._lock:
            older = self._notes.get(key)
            self._notes[key] = note if older is None else self._merge(older, note)
            self._forget_the_oldest()

    def write(self) -> None:
        """Write all that waits, in this thread. While the database is away it waits on.

        :raises django.db.DatabaseError: it could not be written.
        """
        with self._writing:
            with self._lock:
                taken, self._notes = self._notes, {}
            if not taken:
                return
            try:
                self._write(list(taken.values()))
            except DATABASE_AWAY:
                with self._lock:
                    for key, newer in self._notes.items():
                        older = taken.get(key)
                        taken[key] = newer if older is None else self._merge(older, newer)
                    self._notes = taken
                    self._forget_the_oldest()
                raise
            except Exception:
                self.lost += len(taken)
                raise

    async def tick(self) -> None:
        """Write what waits, if it is time to."""
        now = time.monotonic()
        if not self._notes or now - self._looked_at < self._seconds:
            return
        self._looked_at = now
        try:
            await self.flush()
        except TryAgain:
            log.warning("%d records wait for the database", len(self))

    async def flush(self) -> None:
        """Write what waits now.

        :raises TryAgain: the database is away.
        """
        await in_database_thread(self.write)

    def _forget_the_oldest(self) -> None:
        while len(self._notes) > self._most:
            del self._notes[next(iter(self._notes))]
            self.lost += 1
