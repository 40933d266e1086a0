"""Periodic work of a process with sockets: heartbeats, stuck and revoked sockets, lost announcements, standstill.

A few tasks per process and none per socket. An announcement that the channel layer lost is found in the database
by the next look, every `RECENT_SECONDS`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from itertools import cycle

from django.conf import settings

from realtime.database import abandoned, clock
from realtime.database.threads import in_database_thread
from realtime.fanout.door import door
from realtime.fanout.hub import hub
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.close_codes import CloseCode
from realtime.wire.errors import TryAgain

log = logging.getLogger("chatsite.sweep")

TICK_SECONDS = 0.5
RECENT_SECONDS = 1.0
SESSIONS_SECONDS = 5.0
CLOCK_SECONDS = 10.0
ABANDONED_SECONDS = 1.0
# The first digits of connection ids. The sessions of all sockets are checked a sixteenth at a time.
DIGITS = "0123456789abcdef"
# PostgreSQL's time-out for idle transactions: after it, this process's transactions have ended.
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
        loop.create_task(_every(RECENT_SECONDS, _find_lost_announcements)),
        loop.create_task(_every(SESSIONS_SECONDS / len(DIGITS), _close_ended_sessions)),
        loop.create_task(_every(TICK_SECONDS, _check_new_sockets)),
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
            pass  # the database is away; the next round tries again
        except Exception:
            log.exception("a sweep failed")
        took = time.monotonic() - began


def pause_after(took: float, seconds: float) -> float:
    """Return the pause after work that took `took` seconds, so that it begins every `seconds`.

    At least half of `seconds`: sweeps must not keep a slow database busy.
    """
    return max(seconds - took, seconds / 2)


async def _look_at_sockets() -> None:
    """Close sockets whose clients sent nothing for too long, or do not read."""
    now = time.monotonic()
    limits = settings.LIMITS
    for socket in hub.all_sockets():
        if now - socket.heard_at > limits.heartbeat_timeout_seconds:
            socket.close(CloseCode.HEARTBEAT_MISSED)
        elif (backlog := socket.outbox.backlog) is not None and now - backlog.stuck_since > limits.outbox_stuck_seconds:
            socket.close(CloseCode.TOO_SLOW)


async def _watch_for_standstill() -> None:
    """Close all sockets after this process was suspended: its state is old, and its clients may be elsewhere."""
    while True:
        slept_at = time.monotonic()
        await asyncio.sleep(TICK_SECONDS)
        still = time.monotonic() - slept_at
        if still > STANDSTILL_SECONDS:
            suspended = hub.all_sockets()
            log.warning("this process stood still for %.1f s; %d sockets are closed", still, len(suspended))
            for socket in suspended:
                socket.close(CloseCode.RESTART)


async def _look_at_the_clock() -> None:
    """Compare this process's clock with the database's."""
    await in_database_thread(clock.compare_with_database)


async def _end_abandoned_transactions() -> None:
    """End the database transactions that another process, now suspended, left open."""
    await in_database_thread(abandoned.end_abandoned_transactions)


async def _run_ticks() -> None:
    """Run the periodic work that the apps have registered."""
    for tick in registry.ticks:
        waiting = tick()
        if waiting is not None:
            await waiting


async def _find_lost_announcements() -> None:
    """Compare the hub with the events and receipts that the database committed lately."""
    began = time.monotonic()
    if not hub.users:
        hub.followed_at = began
        return
    epoch = hub.epoch
    recent = await in_database_thread(registry.log.recent)
    if hub.epoch != epoch:
        return  # a new socket found another epoch meanwhile, and `recent` may be older
    hub.offer_recent(recent)
    hub.followed_at = began
    for read_recent in registry.recent_readers:
        hub.offer(await in_database_thread(read_recent, hub.has_seen))


async def _close_ended_sessions() -> None:
    """Close the sockets of ended sessions whose announcement was lost; each call checks a sixteenth of all sockets."""
    digit = next(_next_digit)
    await _close_ended([socket for socket in hub.all_sockets() if socket.connection_id[0] == digit])


async def _check_new_sockets() -> None:
    """Close the sockets of sessions that were revoked between sign-in and being attached to the hub."""
    newcomers = hub.newcomers.copy()
    await _close_ended(newcomers)
    del hub.newcomers[: len(newcomers)]


async def _close_ended(sockets: list[Socket]) -> None:
    if not sockets:
        return
    epoch = hub.epoch
    ended = set(await in_database_thread(registry.authenticator.ended, {socket.session_id for socket in sockets}))
    # During a restore the table of sessions is empty, so every session looks ended, and a client closed with 4403 signs
    # out for good. So the epoch is read again afterwards. If it changed, nothing is closed here:
    # `_find_lost_announcements` closes the sockets with 1012.
    if not ended or await in_database_thread(registry.log.current_epoch) != epoch:
        return
    for socket in sockets:
        if socket.session_id in ended:
            socket.close(CloseCode.REVOKED)
