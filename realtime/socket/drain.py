"""The orderly end of a server process: refuse new sockets, finish writes, send the clients elsewhere."""

import asyncio
import logging
import random
import time
from collections.abc import Callable

from django.conf import settings

from realtime.fanout.door import door
from realtime.fanout.hub import hub
from realtime.registry import registry
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Reconnect

log = logging.getLogger("chatsite.drain")

# Clients reconnect at a random time, so that they do not overload the next process: on average at most
# RETURNS_PER_SECOND, but all within RETURN_WITHIN_SECONDS.
RETURNS_PER_SECOND = 200
RETURN_WITHIN_SECONDS = 5.0
SPREAD_SECONDS = 2.0
# A limit, because clients that go on sending would keep a process busy for ever. They send again elsewhere what was
# not acknowledged by then.
FINISH_SECONDS = 1.0


class Drain:
    """Whether this process is shutting down, and the steps of it."""

    def __init__(self) -> None:
        self.begun = False
        self.begun_at = 0.0

    def begin(self) -> None:
        """Refuse new sockets and answer "not ready" from now on."""
        self.begun = True
        self.begun_at = time.monotonic()

    async def run(self) -> None:
        """After `begin`: send `reconnect` to all sockets, let writes finish, close the sockets one by one with 1012."""
        ends_at = time.monotonic() + settings.LIMITS.drain_seconds
        sockets = hub.all_sockets()
        log.info("draining %d sockets", len(sockets))
        random.shuffle(sockets)
        pause = min(SPREAD_SECONDS, len(sockets) * 0.005) / max(len(sockets), 1)
        longest = min(RETURN_WITHIN_SECONDS, 0.1 + len(sockets) / RETURNS_PER_SECOND)
        for socket in sockets:
            socket.send(Reconnect(retry_after=round(random.uniform(0.05, longest), 2)))  # noqa: S311 - spreads, hides nothing
        await self._until(lambda: not self._busy, time.monotonic() + FINISH_SECONDS)
        for socket in sockets:
            socket.close(CloseCode.RESTART)
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
