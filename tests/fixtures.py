"""Fixtures of the unit tests. Imports nothing of the product: it is loaded before the settings are."""

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
    """For tests whose code works in the pool of database threads: closes these threads' connections at the end."""
    yield
    from django.db import connections

    from realtime.threads import _pool

    together = threading.Barrier(max(1, len(_pool._threads)))

    def close() -> None:
        together.wait(10)
        connections.close_all()

    for done in [_pool.submit(close) for _ in range(together.parties)]:
        done.result(10)
