"""Records of this process's connections: buffered as sockets open and close, written in bulk once a second.

A message costs nothing here. Whether it went out follows from the times at which a socket was open, and up to which all
its frames were written.
"""

import logging
import os
import socket as network
import time
from datetime import datetime, timedelta
from uuid import UUID

from accounts.models import new_id
from presence import services
from presence.models import AFTER_COMMIT, Connection, ServerProcess
from realtime.database import clock
from realtime.database.threads import in_database_thread
from realtime.database.write_behind import WriteBehindBuffer
from realtime.fanout.hub import hub
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.errors import TryAgain

log = logging.getLogger("chatsite.presence")

WRITE_SECONDS = 1.0
RENEW_SECONDS = 10.0
MOST_NOTES = 20_000


class ConnectionRecords:
    """The connections of this process, and what is still to be written of them."""

    def __init__(self, most: int = MOST_NOTES) -> None:
        self._buffer: WriteBehindBuffer[UUID, Connection] = WriteBehindBuffer(
            services.record_connections, most=most, seconds=WRITE_SECONDS
        )
        self._opened_at: dict[Socket, datetime] = {}
        # For sockets that lag: the time up to which everything was written.
        self._waiting: dict[Socket, float] = {}
        self._looked_at = 0.0
        self._begin()

    def _begin(self) -> None:
        self._process = ServerProcess(
            id=new_id(), name=f"{network.gethostname()}, process {os.getpid()}", started_at=clock.now()
        )
        self._renewed_at = -RENEW_SECONDS

    def opened(self, socket: Socket) -> None:
        """Record that a socket has signed in."""
        self._opened_at[socket] = clock.now()
        self._note(socket)

    def closed(self, socket: Socket) -> None:
        """Record that a socket has closed, if it had signed in."""
        if socket in self._opened_at:
            self._note(socket, closed_at=clock.now())
            del self._opened_at[socket]
            self._waiting.pop(socket, None)

    async def tick(self) -> None:
        """Write the buffered records and, from time to time, that this process is alive."""
        now = time.monotonic()
        if now - self._looked_at < WRITE_SECONDS:
            return
        self._looked_at = now
        self._note_waiting(now)
        # Records first: the row of the process confirms that connections without an end are still open.
        seen_at = _moment(hub.followed_at)
        try:
            await self._buffer.flush()
            if self._buffer.lost:
                self._begin_anew()
            elif now - self._renewed_at >= RENEW_SECONDS:
                self._process.seen_at = seen_at
                await in_database_thread(services.renew_process, self._process)
                self._renewed_at = now
        except TryAgain:
            log.warning("%d records of connections wait for the database", len(self._buffer))

    async def flush(self) -> None:
        """Write the buffered records; a shutdown hook.

        :raises TryAgain: the database is away.
        """
        await self._buffer.flush()

    def _begin_anew(self) -> None:
        """Continue under a new process id: records were lost, so the old one must not confirm its open connections."""
        log.warning("%d records of connections were lost", self._buffer.lost)
        self._buffer.lost = 0
        self._begin()
        for socket in self._opened_at:
            self._note(socket)

    def _note_waiting(self, now: float) -> None:
        """Record sockets whose frames wait longer than the record of this process allows, and those that recovered."""
        for socket in self._opened_at:
            waits_since = socket.written_until
            if waits_since is not None and now - waits_since < AFTER_COMMIT.total_seconds():
                waits_since = None
            if waits_since != self._waiting.get(socket):
                if waits_since is None:
                    del self._waiting[socket]
                else:
                    self._waiting[socket] = waits_since
                self._note(socket)

    def _note(self, socket: Socket, *, closed_at: datetime | None = None) -> None:
        waits_since = socket.written_until if closed_at else self._waiting.get(socket)
        connection = Connection(
            id=UUID(socket.connection_id),
            process_id=self._process.id,
            user_id=UUID(socket.user_id),
            session_id=UUID(socket.session_id),
            opened_at=self._opened_at[socket],
            closed_at=closed_at,
            close_code=socket.close_code if closed_at else None,
            # Events that the hub has not seen went to no socket.
            written_until=None if waits_since is None else _moment(min(waits_since, hub.followed_at)),
        )
        self._buffer.add(connection.id, connection)


def _moment(monotonic: float) -> datetime:
    return clock.now() - timedelta(seconds=time.monotonic() - monotonic)


records = ConnectionRecords()

registry.on_signed_in(records.opened)
registry.on_closed(records.closed)
registry.on_tick(records.tick)
registry.on_shutdown(records.flush)
