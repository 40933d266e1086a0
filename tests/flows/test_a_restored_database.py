"""The database is restored to an older state: clients that had seen more end up with exactly the restored log."""

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


class Store:
    """A PostgreSQL server for one test, a site on it, and one way to restore a backup."""

    def __init__(self, site: Site, postgresql: PostgreSQL, way: str) -> None:
        self.site = site
        self._postgresql = postgresql
        self._way = way
        self._database = site.database_url.rsplit("/", 1)[1]

    def save(self) -> Callable[[], None]:
        """Make a backup; return the function that restores it."""
        if self._way == "restored dump":
            file = backups.dump(self._postgresql, self._database)
            return lambda: backups.read_in(file, self._postgresql, self._database)
        copy = backups.base_backup(self._postgresql)
        return lambda: self._put_back(copy)

    def _put_back(self, copy: Any) -> None:
        backups.put_back(copy, self._postgresql, as_recovery=self._way == "recovered base backup")
        if self._way == "copied data folder":
            manage(["begin_epoch"], self.site.environment)


@pytest.fixture(params=["recovered base backup", "copied data folder", "restored dump"])
def store(request: pytest.FixtureRequest) -> Any:
    services = Services()
    services.start()
    site = Site("production", services, servers=1)
    site.start()
    yield Store(site, services.postgresql, request.param)
    site.stop()
    services.stop()


async def says(device: Device, conversation: Any, *texts: str) -> None:
    """Send over REST, retrying: the database may still be starting."""
    for text in texts:
        body = {"conversation_id": conversation["id"], "content": text, "client_message_id": str(uuid4())}
        async with asyncio.timeout(60):
            while (await device.request("POST", "/messages", body))[0] not in (200, 201):
                await asyncio.sleep(0.1)


async def comes_back(replica: Replica) -> None:
    """Connect and sync, retrying: the server has several database connections, and all of them are broken."""
    async with asyncio.timeout(60):
        while True:
            try:
                await replica.reconnects()
                if (await replica.catches_up())["type"] == "sync_complete":
                    # Earlier requests may have been refused with try_again, and with nothing else.
                    assert {error["code"] for error in replica.device.heard("error")} <= {"try_again"}
                    replica.device.takes_all()
                    return
            except (AssertionError, ConnectionError):  # the server closed the socket
                pass
            await asyncio.sleep(0.1)


async def test_clients_show_exactly_the_restored_log(store: Store) -> None:
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
            await ben.is_closed(1012, within=30)
            await comes_back(here)
            await here.agrees()
        again = await ana.posts("/messages", resent)
        assert again["sequence"] > lost["sequence"], "the lost message is written again"

        async with following(cleo, kept) as away:
            await away.agrees()
        conversations, since, _ = kept
        async with following(cleo, (conversations, since, None)) as forgetful:
            wrong = differences(forgetful.state(), await fresh_snapshot(cleo))
            assert any("lost 2" in line for line in wrong), (
                "a client without the epoch must keep a lost message, or this test proves nothing"
            )


@asynccontextmanager
async def following(device: Device, kept: Any) -> AsyncIterator[Replica]:
    """A client that starts from its saved state and has caught up."""
    replica = Replica(device)
    replica.restores(kept)
    await comes_back(replica)
    yield replica
    await device.disconnects()
