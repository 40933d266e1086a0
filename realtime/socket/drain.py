"""The orderly end of a server process: nothing new, finish what runs, send everybody elsewhere."""

import asyncio
import logging
import random
import time
from collections.abc import Callable

from django.conf import settings

from realtime import registry
from realtime.fanout import sockets
from realtime.fanout.door import door
from realtime.fanout.hub import hub
from realtime.wire.frames import Reconnect

log = logging.getLogger("chatsite.drain")

# Clients come back at a random time, so that the next process is not overrun: at most so many a second on
# average, but all within so many seconds.
RETURNS_PER_SECOND = 200
RETURN_WITHIN_SECONDS = 5.0
SPREAD_SECONDS = 2.0
# Clients that go on sending would keep a process busy for ever: what is not acknowledged then is sent again elsewhere.
FINISH_SECONDS = 1.0


class Drain:
    """Whether this process is going away, and how it goes."""

    def __init__(self) -> None:
        self.begun = False
        self.begun_at = 0.0

    def begin(self) -> None:
        """Refuse new sockets and say "not ready" from now on."""
        self.begun = True
        self.begun_at = time.monotonic()

    async def run(self) -> None:
        """After `begin`: let writes finish, tell every socket to reconnect, close with 1012, spread."""
        ends_at = time.monotonic() + settings.LIMITS.drain_seconds
        mine = hub.all_sockets()
        log.info("draining %d sockets", len(mine))
        random.shuffle(mine)
        pause = min(SPREAD_SECONDS, len(mine) * 0.005) / max(len(mine), 1)
        longest = min(RETURN_WITHIN_SECONDS, 0.1 + len(mine) / RETURNS_PER_SECOND)
        for socket in mine:
            socket.send(Reconnect(retry_after=round(random.uniform(0.05, longest), 2)))  # noqa: S311 - spreads, hides nothing
        await self._until(lambda: not self._busy, time.monotonic() + FINISH_SECONDS)
        for socket in mine:
            socket.close(sockets.RESTART)
            await asyncio.sleep(pause)
        await self._until(lambda: not self._busy and not hub.users, ends_at)
        await door.drained()

    @property
    def _busy(self) -> bool:
        return any(busy() for busy in registry.busy_checks)

    async def _until(self, done: Callable[[], bool], latest: float) -> None:
        while not done() and time.monotonic() < latest:
            await asyncio.sleep(0.02)


drain = Drain()
