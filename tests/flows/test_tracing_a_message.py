"""The delivery trace for staff: devices connected or not, stalled, cut off, or on a server that died."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.harness.device import Device
from tests.harness.fixtures import LIMITS_OF_SHARED_SITES
from tests.harness.people import People
from tests.harness.proxy import Proxy
from tests.harness.servers import Profile, Site
from tests.security.staff import Staff
from tests.waiting import DEADLINE


@asynccontextmanager
async def staff_of(site: Site) -> AsyncIterator[Staff]:
    async with Staff(await People(site).signs_up("sam", server=site.servers[0])) as staff:
        yield staff


async def session_of(device: Device) -> str:
    """The device's session, as the trace names it."""
    sessions = (await device.gets("/auth/sessions"))["results"]
    return next(str(each["id"]) for each in sessions if each["current"])


async def trace_of(staff: Staff, ack: Any, session: str) -> tuple[str, str]:
    """Return two columns of a message's trace for one device: its socket, and its acknowledgement."""
    page = await staff.opens(f"/admin/notifications/delivery/trace/{ack['message_id']}")
    (row,) = [row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if session in row]
    cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
    return cells[4], cells[5]


async def trace_becomes(
    staff: Staff, ack: Any, session: str, socket: str, acknowledged: str | None = None, *, timeout: float = DEADLINE
) -> str:
    """Wait until both columns of a device match these patterns; return the column of its socket."""
    until = time.monotonic() + timeout
    while True:
        said = await trace_of(staff, ack, session)
        if re.search(socket, said[0]) and (acknowledged is None or re.search(acknowledged, said[1])):
            return said[0]
        assert time.monotonic() < until, f"{said}, not {socket}, {acknowledged}"
        await asyncio.sleep(0.2)


async def acknowledges(device: Device, ack: Any) -> None:
    await device.receives("new_message", sequence=ack["sequence"])
    await device.says("delivery_receipt", message_id=ack["message_id"])


async def test_the_trace_shows_each_device_separately(fragile_site: Site) -> None:
    async with People(fragile_site)("ana", "ben") as (ana, ben), staff_of(fragile_site) as staff:
        phone = await ben.another_device("phone")
        tablet = await ben.another_device("tablet", connected=False)
        drawer = await ben.another_device("drawer", connected=False)
        talk = await ana.talks_to(ben)
        await phone.knows(talk)
        ack = await ana.sends("who gets this?", to=talk)
        await acknowledges(ben, ack)
        await ana.receives("message_delivered", user=ben)
        await acknowledges(phone, ack)
        first, second, third, fourth = [await session_of(each) for each in (ben, phone, tablet, drawer)]
        exact = r"^\d{4}-\d\d-\d\d [\d:.]+$"
        await trace_becomes(staff, ack, first, r"^written 20", exact)
        await trace_becomes(staff, ack, second, r"^written 20", r"at the latest$")
        await trace_becomes(staff, ack, third, r"^no connection on record$", "^—$")
        await tablet.connects()
        await trace_becomes(staff, ack, third, r"^no connection on record; connected later, 20", "^—$")
        await trace_becomes(staff, ack, fourth, r"^no connection on record$", "^—$")


async def test_the_trace_shows_a_cut_connection_and_a_later_participant(fragile_site: Site) -> None:
    async with (
        People(fragile_site)("ana", "ben", "cyd") as (ana, ben, cyd),
        staff_of(fragile_site) as staff,
        Proxy(ben.server.port) as line,
    ):
        team = await ana.gathers(ben)
        await ben.connects(via=line)
        before = await ana.sends("before", to=team)
        await ben.receives("new_message", content="before")
        await asyncio.sleep(3)  # the trace knows nothing of the last seconds of a connection
        last = await ana.sends("and cut", to=team)
        line.cut()
        await ben.is_closed()
        session = await session_of(ben)
        await trace_becomes(staff, last, session, r"^not known: the connection ended 20\S+ \S+ \(100\d\)$")
        await trace_becomes(staff, before, session, r"^written 20")
        await ana.posts(f"/conversations/{team['id']}/participants", {"user_ids": [cyd.id]})
        assert await trace_of(staff, before, await session_of(cyd)) == ("—", "—")


async def test_the_trace_shows_a_device_that_does_not_read(starts_site: Callable[..., Site], profile: Profile) -> None:
    large_outbox = {"outbox_bytes": 50_000_000, "outbox_frames": 2_000, "outbox_stuck_seconds": 60}
    site = starts_site(profile, limits=LIMITS_OF_SHARED_SITES | large_outbox)
    async with (
        People(site)("ana", "ben", connected=False) as (ana, ben),
        staff_of(site) as staff,
        Proxy(ben.server.port) as line,
    ):
        await ana.connects()
        await ben.connects(via=line)
        talk = await ana.talks_to(ben)
        early = await ana.sends("early", to=talk)
        session = await session_of(ben)
        await trace_becomes(staff, early, session, "^written")
        line.silence("down")
        for _ in range(220):  # 8 MB, more than the buffers on the way
            waiting = await ana.sends("😀" * 9_900, to=talk)
        await trace_becomes(staff, waiting, session, "^not known: frames waited for this device since 20")
        assert (await trace_of(staff, early, session))[0].startswith("written")
        line.heal()
        await ben.receives("new_message", sequence=waiting["sequence"])
        await trace_becomes(staff, waiting, session, "^written")


async def test_the_trace_shows_when_a_killed_server_was_last_heard_of(fragile_site: Site) -> None:
    site = fragile_site
    async with People(site)("ana", "ben", connected=False) as (ana, ben):
        server = site.servers[-1]
        await ana.connects()
        await ben.connects(server=server)
        talk = await ana.talks_to(ben)
        ack = await ana.sends("hi", to=talk)
        await ben.receives("new_message", sequence=ack["sequence"])
        session = await session_of(ben)
        await is_recorded(site, session)
        server.kill()
        server.start()
        async with staff_of(site) as staff:
            await trace_becomes(staff, ack, session, r"^(written|not known: its server was last heard of) 20")
            late = await ana.posts_message("nobody is there", to=talk)
            late["message_id"] = late["id"]
            await trace_becomes(staff, late, session, r"^not known: its server was last heard of 20")


async def test_a_terminated_server_records_the_end_of_its_connections(fragile_site: Site) -> None:
    site = fragile_site
    async with People(site)("ana", "ben", connected=False) as (ana, ben):
        server = site.servers[-1]
        await ben.connects(server=server)
        session = await session_of(ben)
        await is_recorded(site, session)
        server.terminate()
        server.start()
        query = "SELECT close_code, closed_at, written_until FROM presence_connection WHERE session_id = %s"
        ((code, closed_at, written_until),) = site.rows(query, site.stored_id(session))
        assert code == 1012
        assert closed_at is not None
        assert written_until is not None
        await ana.leaves()


async def is_recorded(site: Site, session: str) -> None:
    """Wait until the connection of a device is in the database."""
    query, until = "SELECT 1 FROM presence_connection WHERE session_id = %s", time.monotonic() + DEADLINE
    while not site.rows(query, site.stored_id(session)):
        if time.monotonic() > until:
            pytest.fail("the connection was not recorded")
        await asyncio.sleep(0.05)
