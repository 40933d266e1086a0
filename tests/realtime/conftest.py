"""Fixtures of the unit tests. They import the product inside the functions: settings are loaded after this file."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.fixtures import *  # noqa: F403 - fixtures are found by name


@pytest.fixture
def log() -> Iterator[Any]:
    """A log with a conversation `c` of Ana and Ben that has one event."""
    from realtime.registry import registry
    from tests.realtime.logs import FakeLog

    before, log = registry.log, FakeLog()
    log.commit("c", joins=["ana", "ben"])
    registry.register_log(log)
    yield log
    registry.register_log(before)


@pytest.fixture
def hub() -> Any:
    """A hub of the test's own."""
    from realtime.fanout.hub import Hub

    return Hub()


@pytest.fixture
def empty_hub_afterwards() -> Iterator[None]:
    """Detach all sockets from the hub of this process at the end."""
    from realtime.fanout.hub import hub

    yield
    for socket in hub.all_sockets():
        hub.detach(socket)


@pytest.fixture
async def ana(hub: Any, log: Any) -> Any:
    """Ana's socket, attached."""
    from tests.realtime.peers import Peer

    peer = Peer("ana")
    await hub.attach(peer.socket)
    return peer


@pytest.fixture
def database() -> Iterator[Any]:
    """The test's database through another connection, with an empty table of numbers."""
    from tests.realtime.numbers import database_on_another_connection

    with database_on_another_connection() as database:
        yield database


@pytest.fixture
async def pipeline(database: Any) -> AsyncIterator[Any]:
    """An open pipeline."""
    from realtime.writes.pipeline import Pipeline
    from tests.realtime.numbers import opened

    pipeline = Pipeline()
    await opened(pipeline)
    yield pipeline
    pipeline.close()


@pytest.fixture
async def calls() -> AsyncIterator[Any]:
    """Connects to this process as if it were a server: `async with calls(token=...) as ana`."""
    from tests.realtime.callers import callers

    async with callers() as calls:
        yield calls


@pytest.fixture
async def token(calls: Any) -> str:
    """Ana's bearer token."""
    from accounts.services import open_session
    from realtime.database.threads import in_database_thread
    from tests.making import person

    return await in_database_thread(lambda: str(open_session(user=person("ana")).token))


@pytest.fixture
async def cookie(calls: Any) -> str:
    """The Cookie header of Ben's signed-in browser."""
    from django.conf import settings
    from django.test import Client

    from realtime.database.threads import in_database_thread
    from tests.making import PASSWORD, person

    def signed_in() -> str:
        person("ben")
        browser = Client()
        body = {"username": "ben", "password": PASSWORD, "cookie": True}
        assert browser.post("/api/v1/auth/login", body, content_type="application/json").status_code == 200
        return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"

    return await in_database_thread(signed_in)
