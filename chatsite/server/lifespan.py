"""Start and end of a server process: checks, the embedded worker, the drain.

uvicorn closes all sockets at once on SIGTERM. So its signal handler is wrapped: the drain runs first, then uvicorn's
handler.
"""

import asyncio
import logging
import multiprocessing
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from django.conf import settings
from django.db import connection

from chatsite.celery import start_embedded_worker
from chatsite.server.garbage import collector
from realtime.database import clock
from realtime.database.threads import in_database_thread
from realtime.fanout.sweep import keep_process_running
from realtime.registry import registry
from realtime.socket.drain import drain
from realtime.wire.errors import TryAgain

log = logging.getLogger("chatsite.lifespan")


# The event loop and the writing threads share the interpreter lock. With shorter turns a transaction waits less at each
# round trip beside a busy loop. Python's default is 0.005.
SWITCH_INTERVAL_SECONDS = 0.0005
SAME_SIGNAL_SECONDS = 1.0
DATABASE_RETRY_SECONDS = 1.0
SHUTDOWN_HOOK_SECONDS = 2.0


class HostileLogFilter(logging.Filter):
    """Drops uvicorn's log lines that any client can cause.

    They are a traceback for invalid UTF-8 (the close code 1007 tells the client) and an error for every upgrade that
    was refused with an HTTP status.
    """

    NOISE = ("Invalid UTF-8", "ASGI callable returned without completing handshake")

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self.NOISE)


async def lifespan(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Serve the ASGI lifespan protocol."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await _look_at_database()
            except Exception as error:  # noqa: BLE001 - the server must say why it does not start
                await send({"type": "lifespan.startup.failed", "message": str(error.__cause__ or error)})
                return
            sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
            logging.getLogger("uvicorn.error").addFilter(HostileLogFilter())
            keep_process_running()
            collector.begin()
            _drain_before_signals()
            if settings.EMBEDDED:
                start_embedded_worker()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await _run_shutdown_hooks()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _look_at_database() -> None:
    """Refuse an unsafe database and read its clock.

    One of several processes waits while the database is away: if it failed, uvicorn would end the others, too.
    Meanwhile a signal ends it at once: there is nothing to drain, and uvicorn handles signals only after the start.

    :raises TryAgain: the database is away, and this is the only process.
    """
    ours = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in ours:
        signal.signal(number, signal.SIG_DFL)
    try:
        while True:
            try:
                await in_database_thread(refuse_unsafe_database)
                await in_database_thread(clock.compare_with_database)
                return
            except TryAgain as away:
                if multiprocessing.parent_process() is None:
                    raise
                log.warning("this worker waits for PostgreSQL: %s", away.__cause__)
            await asyncio.sleep(DATABASE_RETRY_SECONDS)
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)


async def _run_shutdown_hooks() -> None:
    """Write what is buffered in memory, unless the database does not take it in time."""
    for hook in registry.shutdown_hooks:
        try:
            async with asyncio.timeout(SHUTDOWN_HOOK_SECONDS):
                await hook()
        except (TryAgain, TimeoutError):
            log.warning("the last records of this process could not be written")
        except Exception:
            log.exception("the last records of this process could not be written")


def refuse_unsafe_database() -> None:
    """Check that a commit means durable.

    :raises RuntimeError: PostgreSQL runs with fsync, synchronous_commit or full_page_writes off.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {setting}")
            (value,) = cursor.fetchone()
            if value == "off":
                raise RuntimeError(f"PostgreSQL runs with {setting} off: acknowledged messages could be lost")


def _drain_before_signals() -> None:
    """Drain the sockets on SIGTERM and SIGINT before uvicorn's handler runs; a second signal skips the drain."""
    loop = asyncio.get_running_loop()
    draining: set[asyncio.Task[None]] = set()

    def wrap(signum: int, original: Callable[[int, FrameType | None], Any]) -> None:
        def handle(number: int, frame: FrameType | None) -> None:
            if drain.begun:
                # Ctrl-C reaches a process twice, from the terminal and from its supervisor. That is one signal.
                if time.monotonic() - drain.begun_at > SAME_SIGNAL_SECONDS:
                    original(number, frame)
                return
            drain.begin()

            async def drain_then_signal() -> None:
                try:
                    await drain.run()
                finally:
                    original(number, frame)

            def start() -> None:
                task = loop.create_task(drain_then_signal())
                draining.add(task)

            loop.call_soon_threadsafe(start)

        signal.signal(signum, handle)

    for signum in (signal.SIGTERM, signal.SIGINT):
        original = signal.getsignal(signum)
        if callable(original):
            wrap(signum, original)
