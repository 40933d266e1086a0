"""The database is put back to what it was before: clients that knew more end up showing exactly the log that is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.harness import backups
from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.postgresql import PostgreSQL
from tests.harness.product import manage
from tests.harness.replica import Replica
from tests.harness.servers import Site
from tests.harness.services import Services
from tests.harness.snapshots import differences, fresh_snapshot
from tests.waiting import DEADLINE


class Store:
    """A PostgreSQL of one test's own, with a site on it, and one way of putting back what was saved."""

    def __init__(self, site: Site, postgresql: PostgreSQL, way: str) -> None:
        self.site = site
        self._postgresql = postgresql
        self._way = way
        self._database = site.database_url.rsplit("/", 1)[1]

    def save(self) -> Callable[[], None]:
        """Back up; return what puts it back."""
        if self._way == "a dump read in":
            file = backups.dump(self._postgresql, self._database)
            return lambda: backups.read_in(file, self._postgresql, self._database)
        copy = backups.base_backup(self._postgresql)
        return lambda: self._put_back(copy)

    def _put_back(self, copy: Any) -> None:
        backups.put_back(copy, self._postgresql, as_recovery=self._way == "a base backup recovered")
        if self._way == "a data folder copied back":
            manage(["begin_epoch"], self.site.environment)


@pytest.fixture(params=["a base backup recovered", "a data folder copied back", "a dump read in"])
def store(request: pytest.FixtureRequest) -> Any:
    services = Services()
    services.start()
    site = Site("production", services, servers=1)
    site.start()
    yield Store(site, services.postgresql, request.param)
    site.stop()
    services.stop()


async def says(device: Device, conversation: Any, *texts: str) -> None:
    """Send over REST, as long as it takes: the database may be on its way back."""
    for text in texts:
        body = {"conversation_id": conversation["id"], "content": text, "client_message_id": str(uuid4())}
        async with asyncio.timeout(DEADLINE):
            while (await device.request("POST", "/messages", body))[0] not in (200, 201):
                await asyncio.sleep(0.1)


async def comes_back(replica: Replica) -> None:
    """Connect and catch up, as often as it takes: a server has several connections to the database, all broken."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await replica.reconnects()
                if (await replica.catches_up())["type"] == "sync_complete":
                    # What came before may have been refused for now, and nothing else.
                    assert {error["code"] for error in replica.device.heard("error")} <= {"try_again"}
                    replica.device.takes_all()
                    return
            except (AssertionError, ConnectionError):  # sent away
                pass
            await asyncio.sleep(0.1)


async def test_whoever_knew_more_shows_exactly_the_log(store: Store) -> None:
    async with People(store.site)("ana", "ben", "cleo") as (ana, ben, cleo):
        trip = await ana.gathers(ben, cleo)
        await says(ana, trip, "kept 1", "kept 2")
        put_back = await asyncio.to_thread(store.save)
        async with Replica(ben) as here:
            async with Replica(cleo) as away:
                resent = {"conversation_id": trip["id"], "content": "again", "client_message_id": str(uuid4())}
                lost = await ana.posts("/messages", resent)
                await says(ana, trip, "lost 1", "lost 2", "lost 3")
                await here.agrees()
                await away.agrees()
                kept, known = away.kept(), here.conversations[trip["id"]].cursor
            await cleo.disconnects()

            await asyncio.to_thread(put_back)
            await says(ana, trip, *(f"new {number}" for number in range(10)))
            assert (await ana.looks_at(trip))["last_sequence"] > known
            await ben.is_closed(1012)
            await comes_back(here)
            await here.agrees()
        again = await ana.posts("/messages", resent)
        assert again["sequence"] > lost["sequence"], "what was lost is written anew"

        async with following(cleo, kept) as away:
            await away.agrees()
        conversations, since, _ = kept
        async with following(cleo, (conversations, since, None)) as forgetful:
            wrong = differences(forgetful.state(), await fresh_snapshot(cleo))
            assert any("lost 2" in line for line in wrong), "without the epoch the rest of the test proves nothing"


@asynccontextmanager
async def following(device: Device, kept: Any) -> AsyncIterator[Replica]:
    """A client that was away since it kept what it knew, and has caught up."""
    replica = Replica(device)
    replica.restores(kept)
    await comes_back(replica)
    yield replica
    await device.disconnects()
