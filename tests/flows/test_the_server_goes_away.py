"""Servers that end: in order, by a crash, or frozen."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Callable
from itertools import count
from time import monotonic
from uuid import uuid4

import httpx
import pytest

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.replica import Replica
from tests.harness.rest import Refused
from tests.harness.servers import Profile, Site

StartsSite = Callable[..., Site]
# uvicorn shuts down first and then raises the same signal again: its exit code names the signal.
ORDERLY = (0, -signal.SIGTERM)


async def test_a_terminated_server_sends_reconnect_before_it_closes(starts_site: StartsSite, profile: Profile) -> None:
    site = starts_site(profile)
    async with People(site)("ana", "ben", "cleo") as (ana, ben, _):
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("just before", to=conversation)
        server = ana.server
        server.program.send_signal(signal.SIGTERM)
        reconnect = await ana.receives("reconnect", within=30)
        assert 0 < reconnect["retry_after"] < 0.5, "a few clients need not be spread over seconds"
        await ana.is_closed(1012, within=30)
        assert await asyncio.to_thread(server.program.wait, 30) in ORDERLY
        await asyncio.to_thread(server.start)
        await ana.connects()
        await ana.asks("sync", cursors={conversation["id"]: ack["sequence"] - 1})
        await ana.receives("new_message", content="just before")
        ben.takes_all()


async def test_a_draining_server_is_not_ready_and_accepts_nobody(starts_site: StartsSite) -> None:
    site = starts_site("production")
    async with People(site)("ana", "ben", "cleo") as (ana, ben, cleo):
        server = ana.server
        server.program.freeze()  # so that the signal and the request reach it together
        server.program.send_signal(signal.SIGTERM)
        server.program.thaw()
        await ana.receives("reconnect", within=30)
        if server.running:
            assert (await asyncio.to_thread(server.health, "/health/ready"))[0] in (0, 503)
        await ana.is_closed(1012, within=30)
        await cleo.is_closed(1012, within=30)
        assert ben.is_connected
        await ana.connects(server=ben.server)
        conversation = await ana.talks_to(ben)
        await ben.sends("over here", to=conversation)
        await ana.receives("new_message", content="over here")


async def test_no_acknowledged_message_is_lost_in_a_drain(starts_site: StartsSite, profile: Profile) -> None:
    without_limits = {"messages_per_second": 100_000, "messages_burst": 100_000}
    without_limits |= {"frames_per_second": 100_000, "frames_burst": 100_000}
    site = starts_site(profile, limits=without_limits)
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        talking = asyncio.create_task(talks_until_closed(ana, conversation))
        await ben.receives("new_message", content="m20")
        ana.server.program.send_signal(signal.SIGTERM)
        acknowledged = await talking
        assert await asyncio.to_thread(ana.server.program.wait, 30) in ORDERLY
        await asyncio.to_thread(ana.server.start)
        stored = {message["id"]: message for message in await ana.history(conversation)}
        assert len(acknowledged) > 20
        for ack in acknowledged:
            assert stored[ack["message_id"]]["sequence"] == ack["sequence"]
        ben.takes_all()


async def talks_until_closed(device: Device, conversation: dict) -> list[dict]:
    """Send one message after the other until the socket closes; return the acknowledgements."""
    number = 0
    while device.is_connected:
        try:
            await device.sends(f"m{number}", to=conversation)
        except (AssertionError, ConnectionError, OSError):
            break
        except Exception as closed:
            if type(closed).__name__.startswith("ConnectionClosed"):
                break
            raise
        number += 1
    await device.is_closed()
    return device.heard("message_ack")


async def test_ctrl_c_ends_the_server_cleanly(starts_site: StartsSite, profile: Profile) -> None:
    site = starts_site(profile)
    server = site.servers[0]
    async with People(site)("ana") as (ana,):
        server.program.send_signal(signal.SIGINT)
        await ana.is_closed(1012, within=30)
    assert await asyncio.to_thread(server.program.wait, 30) in (0, -signal.SIGINT)
    assert "KeyboardInterrupt" not in server.log()


async def test_a_restarted_server_keeps_its_messages(starts_site: StartsSite, profile: Profile) -> None:
    site = starts_site(profile)
    async with People(site)("ana", "ben", connected=False) as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.posts_message("still here", to=conversation)
        for server in site.servers:
            await asyncio.to_thread(server.restart)
        assert [each["content"] for each in await ben.history(conversation)] == ["still here"]
        await ben.connects()


BEFORE_COMMIT = ("parsed", "after_lock", "after_insert", "before_commit")
AFTER_COMMIT = ("after_commit", "before_ack", "before_publish", "mid_fanout")
# The acknowledgement does not wait for the fan-out: at these points it may already be sent.
AFTER_ACK = ("before_publish", "mid_fanout")


@pytest.mark.parametrize("point", BEFORE_COMMIT + AFTER_COMMIT)
async def test_a_server_that_dies_while_sending_leaves_one_message_after_the_resend(
    fragile_site: Site, point: str
) -> None:
    site = fragile_site
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.sends("before", to=conversation)
        async with Replica(ben) as bens:
            doomed = ana.server
            await ana.disconnects()
            if ben.server is doomed:
                await ben.disconnects()
            await asyncio.to_thread(doomed.restart, CHATSITE_CRASH_POINT=point)
            mine = str(uuid4())
            text = f"survivor {mine}"
            message = {"conversation_id": conversation["id"], "content": text, "client_message_id": mine}
            if point == "before_publish":
                # A socket would reach this point with its own presence; a request reaches it only with its message.
                with contextlib.suppress(httpx.HTTPError):
                    await ana.posts("/messages", message)
            else:
                await ana.connects()
                await ana.says("send_message", **message)
                await ana.is_closed()
                if point not in AFTER_ACK:
                    ana.has_not_heard("message_ack")
            await asyncio.to_thread(doomed.program.wait, 5)
            assert doomed.program.exit_code == -signal.SIGKILL, "the crash point was not reached"
            stored = site.rows("SELECT count(*) FROM messaging_message WHERE content = %s", text)
            assert stored == [(1 if point in AFTER_COMMIT else 0,)]

            await asyncio.to_thread(doomed.start)
            await ana.connects()
            if not ben.is_connected:
                await bens.reconnects()
            ack = await ana.sends(text, to=conversation, client_message_id=mine)
            assert bool(ack.get("duplicate")) is (point in AFTER_COMMIT)
            await ben.hears_everything_from(ana, in_=conversation)
            assert [each["content"] for each in await ben.history(conversation)].count(text) == 1
            await bens.agrees()
            [survivor] = [
                message for message in bens.state()[conversation["id"]]["messages"] if message["content"] == text
            ]
            assert (survivor["id"], survivor["sequence"]) == (ack["message_id"], ack["sequence"])


@pytest.mark.parametrize("way", ["socket", "rest"])
async def test_a_frozen_server_blocks_a_conversation_only_for_seconds(fragile_site: Site, way: str) -> None:
    if fragile_site.profile == "embedded":
        pytest.skip("embedded has no second server that could go on")
    async with People(fragile_site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        writing = asyncio.create_task(writes_on(ana, conversation, way))
        frozen = ana.server.program
        for _ in range(500):
            await asyncio.sleep(random.uniform(0.001, 0.02))
            frozen.freeze()
            begun = monotonic()
            if await asyncio.to_thread(fragile_site.rows, HALF_WRITTEN, WAITING_STATE[way]):
                break
            frozen.thaw()
        else:
            pytest.fail("the server was never frozen in the middle of a transaction")
        try:
            await insists(ben, "without you", conversation, within=6)
            await asyncio.sleep(6 - (monotonic() - begun))  # longer than a process may be stopped
        finally:
            frozen.thaw()
            writing.cancel()
        await asyncio.to_thread(ana.server.becomes_ready)
        await ana.is_closed(1012)  # a process that was stopped for so long would send outdated frames
        await ana.connects()
        await insists(ana, "back", conversation, within=6)
        await ben.receives("new_message", content="back")
        stored = await ben.history(conversation)
        assert [message["sequence"] for message in stored] == list(range(2, len(stored) + 2))


# State of the transaction in PostgreSQL. A socket's pipeline syncs after each group of statements, so the transaction
# is idle; a thread's does not.
WAITING_STATE = {"socket": "idle in transaction", "rest": "active"}
# A transaction holds row locks, and PostgreSQL waits for its client.
HALF_WRITTEN = """
    SELECT 1 FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid AND l.mode = 'RowShareLock'
    WHERE a.datname = current_database() AND a.state = %s AND a.wait_event = 'ClientRead'
"""


async def writes_on(device: Device, conversation: dict, way: str) -> None:
    """Send message after message, by frames or by requests."""
    for number in count():
        message = {"conversation_id": conversation["id"], "content": f"m{number}", "client_message_id": str(uuid4())}
        if way == "rest":
            await device.posts("/messages", message)
        else:
            await device.says("send_message", **message)
            await asyncio.sleep(0.001)


async def insists(device: Device, content: str, conversation: dict, *, within: float) -> dict:
    """Send a message, and send it again after each `try_again`, as the protocol requires of a client."""
    mine = str(uuid4())
    async with asyncio.timeout(within):
        while True:
            try:
                return await device.sends(content, to=conversation, client_message_id=mine, within=within)
            except Refused as refusal:
                if refusal.code != "try_again":
                    raise
