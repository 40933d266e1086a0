"""Fixtures of the unit tests. The module imports nothing of the product: it is loaded before the settings."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

__all__ = ["database_threads", "limits"]


@pytest.fixture
def limits(settings: Any) -> Callable[..., None]:
    """Changes limits for one test: `limits(logins_per_account=3)`."""

    def change(**entries: float) -> None:
        settings.LIMITS = dataclasses.replace(settings.LIMITS, **entries)

    return change


@pytest.fixture
def database_threads() -> Iterator[None]:
    """Closes the connections of the database threads after a test whose code uses their pools."""
    yield
    from django.db import connections

    from realtime.database.threads import _pool, _write_pool

    def close(together: threading.Barrier) -> None:
        together.wait(10)
        connections.close_all()

    for pool in (_pool, _write_pool):
        together = threading.Barrier(max(1, len(pool._threads)))
        for done in [pool.submit(close, together) for _ in range(together.parties)]:
            done.result(10)
