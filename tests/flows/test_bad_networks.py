"""Connections that are slow, silent, half dead or flapping."""

import asyncio
import time
from uuid import uuid4

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.proxy import Proxy
from tests.harness.replica import Replica
from tests.harness.servers import Profile


async def test_a_slow_line_delivers_everything_in_order(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben), Proxy(ben.server.port, latency=0.1) as line:
        await ana.connects()
        await ben.connects(via=line)
        conversation = await ana.talks_to(ben)
        for number in range(20):
            await ana.sends(str(number), to=conversation)
        await ben.receives("new_message", content="19")
        assert [frame["message"]["content"] for frame in ben.heard("new_message")] == [str(n) for n in range(20)]


async def test_a_resend_after_a_broken_line_returns_the_original(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben), Proxy(ana.server.port) as line:
        await ben.connects()
        await ana.connects(via=line)
        conversation = await ana.talks_to(ben)
        mine = str(uuid4())
        line.silence("down")  # the message gets through, the acknowledgement does not
        await ana.says("send_message", conversation_id=conversation["id"], content="heard?", client_message_id=mine)
        await ben.receives("new_message", content="heard?")
        line.cut()
        line.heal()
        await ana.is_closed()
        await ana.connects(via=line)
        ack = await ana.sends("heard?", to=conversation, client_message_id=mine)
        assert ack["duplicate"] is True
        assert [each["content"] for each in await ben.history(conversation)] == ["heard?"]


async def test_a_flapping_line_loses_nothing(people: People) -> None:
    async with people("ana", "ben") as (ana, ben), Proxy(ben.server.port) as line:
        conversation = await ana.talks_to(ben)
        async with Replica(ben) as replica:
            for number in range(6):
                await ana.sends(f"m{number}", to=conversation)
                await replica.reconnects(via=line)
                line.cut()
                await ben.is_closed()
            await replica.reconnects()
            await replica.agrees()


async def test_a_client_on_a_silent_line_goes_offline_and_catches_up(starts_site, profile: Profile) -> None:
    limits = {"heartbeat_timeout_seconds": 2, "offline_after_seconds": 1, "server_ping_seconds": 1}
    site = starts_site(profile, limits=limits)
    async with People(site)("ana", "ben") as (ana, ben), Proxy(ben.server.port) as line:
        conversation = await ana.talks_to(ben)
        staying = asyncio.create_task(keeps_alive(ana))
        async with Replica(ben) as replica:
            await replica.reconnects(via=line)
            await ana.receives("presence", user=ben, status="online")
            line.silence()
            await ana.sends("into the void", to=conversation)
            await ana.receives("presence", user=ben, status="offline", within=20)
            line.heal()
            await ben.is_closed()
            await replica.reconnects(via=line)
            await replica.agrees()
        staying.cancel()
        await asyncio.wait([staying])


async def keeps_alive(device: Device) -> None:
    while True:
        await device.asks("ping")
        await asyncio.sleep(0.5)


async def test_a_silent_client_is_closed_and_a_pinging_one_is_not(starts_site) -> None:
    site = starts_site("embedded", limits={"heartbeat_timeout_seconds": 2})
    async with People(site)("ana", "ben") as (ana, ben):
        staying = asyncio.create_task(keeps_alive(ana))
        await ben.is_closed(4408, within=10)
        assert ana.is_connected
        staying.cancel()
        await asyncio.wait([staying])


async def test_a_client_that_does_not_read_delays_nobody(people: People) -> None:
    async with people("ana", "ben", "cleo", connected=False) as (ana, ben, cleo), Proxy(ben.server.port) as line:
        await ana.connects()
        await cleo.connects()
        await ben.connects(via=line)
        group = await ana.gathers(ben, cleo)
        line.silence("down")
        slowest = 0.0
        for number in range(300):  # 12 MB: more than every buffer on the way
            begun = time.monotonic()
            await ana.sends(str(number) + "😀" * 9_900, to=group)
            await cleo.receives("new_message", sequence=3 + number)
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 2
        line.heal()
        assert await ben.is_closed(within=20) in (4410, 1006)
        assert len(ben.heard("new_message")) < 300
        complete = await catches_up(ben, group["id"])
        assert complete["heads"][group["id"]] == 302


async def catches_up(device: Device, conversation_id: str) -> dict:
    await device.connects()
    return await device.asks("sync", cursors={conversation_id: 300})
