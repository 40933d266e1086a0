"""The threads for synchronous database work of the event loop: one hop per command.

Channels' own `database_sync_to_async` puts all of a process's work on a single thread. Here one pool of
DATABASE_THREADS reads and another writes; each thread keeps its own connection for as long as that works.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import connections

from realtime.wire.errors import DATABASE_AWAY, TryAgain

P = ParamSpec("P")
T = TypeVar("T")

_pool = ThreadPoolExecutor(settings.DATABASE_THREADS, thread_name_prefix="database")
# Writes have their own threads, so that many clients that sign in and catch up do not delay them.
_write_pool = ThreadPoolExecutor(settings.WRITE_LANES + 1, thread_name_prefix="write")


def with_connection_care(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in this thread; close a broken connection, so that the next call gets a new one.

    :raises TryAgain: when the database is away, times out or cuts the connection.
    """
    try:
        return work(*args, **kwargs)
    except DATABASE_AWAY as error:
        for connection in connections.all(initialized_only=True):
            connection.close()
        raise TryAgain from error


async def in_database_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run synchronous database work off the event loop.

    :raises TryAgain: as `with_connection_care`.
    """
    loop = asyncio.get_running_loop()

    def call() -> T:
        return with_connection_care(work, *args, **kwargs)

    return await loop.run_in_executor(_pool, call)


def submit_read(work: Callable[..., Any], *args: Any) -> None:
    """Start a look-up in a thread; it reports its result itself."""
    _pool.submit(work, *args)


def submit_write(work: Callable[..., Any], *args: Any) -> None:
    """Start a write in a thread; it reports its result itself."""
    _write_pool.submit(work, *args)
