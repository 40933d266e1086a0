"""What a process with sockets does periodically: heartbeats, stuck and revoked sockets, lost wake-ups, standstill.

One task per process and none per socket. It is the second net under every doorbell: whatever the
channel layer lost is found in the database within `RECENT_SECONDS`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from itertools import cycle

from django.conf import settings

from realtime import registry
from realtime.database import abandoned, clock
from realtime.database.threads import in_database_thread
from realtime.fanout import sockets
from realtime.fanout.door import door
from realtime.fanout.hub import hub
from realtime.fanout.sockets import Socket
from realtime.wire.errors import TryAgain

log = logging.getLogger("chatsite.sweep")

TICK_SECONDS = 0.5
RECENT_SECONDS = 1.0
SESSIONS_SECONDS = 5.0
CLOCK_SECONDS = 10.0
ABANDONED_SECONDS = 1.0
# A connection's id begins with one of these: what is asked about all is asked about a sixteenth at a time.
DIGITS = "0123456789abcdef"
# As long as PostgreSQL lets a transaction idle: by then others have gone on without this process.
STANDSTILL_SECONDS = 5.0

_next_digit = cycle(DIGITS)
_tasks: dict[asyncio.AbstractEventLoop, list[asyncio.Task[None]]] = {}


def keep_process_running() -> None:
    """Start the door and the sweeps of this process's event loop, once."""
    loop = asyncio.get_running_loop()
    if loop in _tasks:
        return
    door.open()
    _tasks[loop] = [
        loop.create_task(_every(TICK_SECONDS, _look_at_sockets)),
        loop.create_task(_every(TICK_SECONDS, _run_ticks)),
        loop.create_task(_every(RECENT_SECONDS, _find_lost_wake_ups)),
        loop.create_task(_every(SESSIONS_SECONDS / len(DIGITS), _close_ended_sessions)),
        loop.create_task(_every(TICK_SECONDS, _look_at_newcomers)),
        loop.create_task(_every(CLOCK_SECONDS, _look_at_the_clock)),
        loop.create_task(_every(ABANDONED_SECONDS, _end_abandoned_transactions)),
        loop.create_task(_watch_for_standstill()),
    ]


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    took = 0.0
    while True:
        await asyncio.sleep(pause_after(took, seconds))
        began = time.monotonic()
        try:
            await work()
        except TryAgain:
            pass  # the database is away; the next round asks again
        except Exception:
            log.exception("a sweep failed")
        took = time.monotonic() - began


def pause_after(took: float, seconds: float) -> float:
    """Return how long to wait after work that took so long, so that it begins every so many seconds.

    Half of them at least: when the database is slow, sweeps must not be what keeps it busy.
    """
    return max(seconds - took, seconds / 2)


async def _look_at_sockets() -> None:
    """Close sockets that were silent too long or whose client does not read."""
    now = time.monotonic()
    limits = settings.LIMITS
    for socket in hub.all_sockets():
        if now - socket.heard_at > limits.heartbeat_timeout_seconds:
            socket.close(sockets.HEARTBEAT_MISSED)
        elif socket.stuck_since is not None and now - socket.stuck_since > limits.outbox_stuck_seconds:
            socket.close(sockets.TOO_SLOW)


async def _watch_for_standstill() -> None:
    """Close every socket when this process did nothing for long: what they would be told is old, their clients gone."""
    while True:
        slept_at = time.monotonic()
        await asyncio.sleep(TICK_SECONDS)
        still = time.monotonic() - slept_at
        if still > STANDSTILL_SECONDS:
            mine = hub.all_sockets()
            log.warning("this process stood still for %.1f s; %d sockets are closed", still, len(mine))
            for socket in mine:
                socket.close(sockets.RESTART)


async def _look_at_the_clock() -> None:
    """Compare this process's clock with the database's."""
    await in_database_thread(clock.look_at_database)


async def _end_abandoned_transactions() -> None:
    """End what another process, which stands still, left unfinished in the database."""
    await in_database_thread(abandoned.end_abandoned_transactions)


async def _run_ticks() -> None:
    """Do the periodic work of the apps above."""
    for tick in registry.ticks:
        waiting = tick()
        if waiting is not None:
            await waiting


async def _find_lost_wake_ups() -> None:
    """Compare the hub with what the database committed lately."""
    began = time.monotonic()
    if not hub.users:
        hub.followed_at = began
        return
    epoch = hub.epoch
    recent = await in_database_thread(registry.log().recent)
    if hub.epoch != epoch:
        return  # a socket brought news of another one meanwhile, and this may be older
    hub.offer_recent(recent)
    hub.followed_at = began
    for recent_notices in registry.recent_notices:
        hub.offer(await in_database_thread(recent_notices, hub.has_seen))


async def _close_ended_sessions() -> None:
    """Close the sockets of revoked sessions whose announcement was lost, of the next sixteenth of all sockets."""
    digit = next(_next_digit)
    await _close_ended([socket for socket in hub.all_sockets() if socket.connection_id[0] == digit])


async def _look_at_newcomers() -> None:
    """Close the sockets of sessions that were revoked between being recognised and being attached to the hub."""
    newcomers = hub.newcomers.copy()
    await _close_ended(newcomers)
    del hub.newcomers[: len(newcomers)]


async def _close_ended(mine: list[Socket]) -> None:
    if not mine:
        return
    ended = set(await in_database_thread(registry.authenticator().ended, {socket.session_id for socket in mine}))
    for socket in mine:
        if socket.session_id in ended:
            socket.close(sockets.REVOKED)
