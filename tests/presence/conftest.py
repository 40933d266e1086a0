"""Fixtures of the unit tests of presence."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures import *  # noqa: F403 - fixtures are found by name


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The ephemeral events announced through the door."""
    from presence import services, typists

    announcements: list[Any] = []
    for module in (services, typists):
        monkeypatch.setattr(module, "announce_now_without_commit", announcements.extend)
    return announcements


@pytest.fixture
def clean_store() -> Iterator[None]:
    """An empty presence store, before the test and after it."""
    from django.conf import settings

    from presence import store

    store.store.cache_clear()
    store.RedisStore(settings.REDIS_URL)._redis.flushall()
    yield
    store.store.cache_clear()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The connections of one process; every tick does its full work."""
    from presence import leases

    monkeypatch.setattr(leases, "LOOK_SECONDS", 0)
    return leases.ConnectionLeases()


@pytest.fixture
async def ana_and_ben() -> tuple[str, str]:
    """Ids of two users who share a direct conversation."""
    from realtime.database.threads import in_database_thread
    from tests.making import direct, people

    def meet() -> tuple[str, str]:
        ana, ben = people("ana", "ben")
        direct(ana, ben)
        return str(ana.id), str(ben.id)

    return await in_database_thread(meet)
