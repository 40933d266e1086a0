"""One server of several processes, as in production: a main process, and workers that share a port."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.people import People
from tests.harness.proxy import Proxy, proxied
from tests.harness.servers import Server, Site
from tests.harness.services import Services
from tests.waiting import until

WORKERS = 2
NewSite = Callable[..., Site]


@pytest.fixture
def new_site(services: Services) -> Iterator[NewSite]:
    """Make a production site with one server of two workers; it is not started."""
    made: list[Site] = []

    def make() -> Site:
        made.append(Site("production", services, servers=1, workers=WORKERS))
        return made[-1]

    yield make
    for site in made:
        site.stop()


@pytest.fixture
def site(new_site: NewSite) -> Site:
    one = new_site()
    one.start()
    return one


@pytest.fixture
async def way_to_postgresql(new_site: NewSite) -> AsyncIterator[tuple[Site, Proxy]]:
    """A site that reaches PostgreSQL through a proxy, and the proxy."""
    site = new_site()
    async with proxied(site.database_url) as (address, proxy):
        await asyncio.to_thread(site.servers[0].launch, DATABASE_URL=address)
        await asyncio.to_thread(site.servers[0].becomes_ready)
        yield site, proxy


def workers(server: Server) -> set[int]:
    """The process ids of the workers; other children, such as multiprocessing's resource tracker, are left out."""
    children = Path(f"/proc/{server.program.pid}/task/{server.program.pid}/children").read_text().split()
    return {int(pid) for pid in children if b"spawn_main" in command_of(pid)}


def command_of(pid: str) -> bytes:
    """Return the command line of a process; empty, if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def started(server: Server) -> bool:
    return len(workers(server)) == WORKERS


async def test_a_worker_that_dies_is_replaced_and_its_clients_go_on(site: Site) -> None:
    [server] = site.servers
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.sends("before", to=conversation)
        before = workers(server)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        for device in (ana, ben):
            await device.is_closed()
        await until(lambda: started(server) and not workers(server) & before)
        await asyncio.to_thread(server.becomes_ready)
        await ben.connects()
        await ana.connects()
        await ana.insists("after", to=conversation)
        await ben.receives("new_message", content="after")


async def test_workers_are_replaced_one_by_one(site: Site) -> None:
    [server] = site.servers
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        before = workers(server)
        server.program.send_signal(signal.SIGHUP)
        for device in (ana, ben):
            await device.receives("reconnect")
            await device.is_closed(1012)
        await until(lambda: started(server) and not workers(server) & before)
        for device in (ana, ben):
            await device.connects()
        await ana.insists("after", to=conversation)
        await ben.receives("new_message", content="after")


async def test_all_workers_end_with_the_main_process(site: Site) -> None:
    [server] = site.servers
    before = workers(server)
    assert await asyncio.to_thread(server.terminate) in (0, -signal.SIGTERM)
    for pid in before:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_worker_that_dies_without_postgresql_leaves_the_others_running(
    way_to_postgresql: tuple[Site, Proxy],
) -> None:
    site, proxy = way_to_postgresql
    [server] = site.servers
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        proxy.refuse()
        one, *others = sorted(workers(server))
        os.kill(one, signal.SIGKILL)
        await until(lambda: "waits for PostgreSQL" in server.log())
        assert set(others) < workers(server)
        assert server.running
        proxy.heal()
        await asyncio.to_thread(server.becomes_ready)
        for device in (ana, ben):
            if not device.is_connected:
                await device.connects()
        await ana.insists("after", to=conversation)
        await ben.receives("new_message", content="after")


async def test_a_worker_that_waits_for_postgresql_ends_with_the_others(way_to_postgresql: tuple[Site, Proxy]) -> None:
    site, proxy = way_to_postgresql
    [server] = site.servers
    proxy.refuse()
    os.kill(min(workers(server)), signal.SIGKILL)
    await until(lambda: "waits for PostgreSQL" in server.log())
    assert await asyncio.to_thread(server.terminate) in (0, -signal.SIGTERM)
