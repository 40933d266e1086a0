"""The door: in a command or worker, which has no event loop of its own, and in a server with its channel layer."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from channels.layers import get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings

from chatsite.configuration import stores
from realtime.fanout import door as door_module
from realtime.fanout.door import GROUP, Door
from realtime.fanout.hub import hub
from realtime.wire.announcements import Announcement, EphemeralEvent, pack, unpack
from tests.harness.proxy import Proxy, proxied
from tests.waiting import until


@pytest.fixture
def door() -> Iterator[Door]:
    """A door whose event loop stops with the test."""
    door = Door()
    yield door
    if door._loop is not None and not door._loop.is_closed():
        door._loop.call_soon_threadsafe(door._loop.stop)


@asynccontextmanager
async def layer_by_proxy() -> AsyncIterator[tuple[RedisPubSubChannelLayer, Proxy]]:
    """The production channel layer behind a proxy."""
    async with proxied(settings.REDIS_URL) as (address, proxy):
        yield RedisPubSubChannelLayer(**stores.channel_layer(address)["CONFIG"]), proxy


async def test_announcements_of_a_command_are_sent_before_it_ends(door: Door) -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    event = EphemeralEvent("news", user_ids=["ana"])

    def command() -> None:
        door.publish([event])
        door._flush()
        assert not door._outgoing

    await asyncio.to_thread(command)
    envelope = await asyncio.wait_for(layer.receive(channel), 5)
    assert unpack(envelope["items"]) == [event]
    assert envelope["origin"] == door.origin
    await layer.group_discard(GROUP, channel)


async def test_a_command_does_not_wait_long_for_a_hanging_layer(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "PUBLISH_TIMEOUT_SECONDS", 60)
    async with layer_by_proxy() as (layer, proxy):
        monkeypatch.setattr(door_module, "get_channel_layer", lambda: layer)
        proxy.silence()
        begun = time.monotonic()
        await asyncio.to_thread(door.publish, [EphemeralEvent("news", user_ids=["ana"])])
        await asyncio.to_thread(door._flush)
        assert 0.9 < time.monotonic() - begun < 5
        assert door._publisher is not None
        assert not door._publisher.done(), "the publisher still hangs"
        door._loop.call_soon_threadsafe(door._publisher.cancel)  # type: ignore[union-attr]
        await until(door._publisher.done)


def test_announcing_while_the_process_ends_is_ignored(door: Door) -> None:
    door._flush()
    door._loop = asyncio.new_event_loop()
    door._flush()
    door._loop.close()
    door.publish([EphemeralEvent("news", user_ids=["ana"])])
    assert not door._outgoing


def test_threads_of_a_command_start_one_door_thread(door: Door) -> None:
    before = set(threading.enumerate())  # may contain the ending door thread of another test
    callers = [
        threading.Thread(target=door.publish, args=[[EphemeralEvent(str(n), user_ids=["ana"])]]) for n in range(3)
    ]
    with door._lock:  # holds them until all have found no event loop
        for caller in callers:
            caller.start()
        time.sleep(0.1)
    for caller in callers:
        caller.join(10)
    door._flush()
    assert [thread.name for thread in threading.enumerate() if thread not in before] == ["door"]


async def test_opening_the_door_twice_starts_one_receiver(door: Door) -> None:
    door.open()
    receiver = door._receiver
    door.open()
    assert door._receiver is receiver
    assert receiver is not None
    receiver.cancel()
    door._loop = None


# --- A server and its channel layer -------------------------------------------------------


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> list[Announcement]:
    """The announcements offered to the hub of this process."""
    delivered: list[Announcement] = []
    monkeypatch.setattr(hub, "offer", delivered.extend)
    return delivered


@pytest.fixture
async def listening(door: Door, delivered: list[Announcement]) -> AsyncIterator[Door]:
    """The door of a server that receives what other processes announce."""
    door.open()
    await asyncio.wait_for(announce_until_delivered(delivered, "begin"), 5)
    delivered.clear()
    yield door
    assert door._receiver is not None
    door._receiver.cancel()
    await asyncio.wait([door._receiver])
    door._loop = None


async def announce_until_delivered(delivered: list[Announcement], text: str) -> None:
    """Announce an ephemeral event from another process, again and again, until it is delivered here."""
    while EphemeralEvent(text) not in delivered:
        await get_channel_layer().group_send(
            GROUP, {"type": "items", "origin": "other", "items": pack([EphemeralEvent(text)])}
        )
        await asyncio.sleep(0.05)


async def test_an_unreadable_envelope_is_logged_and_skipped(
    listening: Door, delivered: list[Announcement], caplog: pytest.LogCaptureFixture
) -> None:
    """Another release of the server may announce kinds that this one does not know."""
    layer = get_channel_layer()
    for items in (b"\x91\x92\xa6future\x01", pack([EphemeralEvent("after")])):
        await layer.group_send(GROUP, {"type": "items", "origin": "other", "items": items})
    await until(lambda: EphemeralEvent("after") in delivered)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_an_unreachable_layer_opens_the_breaker_until_it_recovers(
    door: Door, delivered: list[Announcement], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(door_module, "BREAKER_OPEN_SECONDS", 0.3)
    monkeypatch.setattr(door_module, "RECEIVE_RETRY_SECONDS", 0.05)
    async with layer_by_proxy() as (layer, proxy):
        monkeypatch.setattr(door_module, "get_channel_layer", lambda: layer)
        proxy.refuse()
        door.open()
        for number in range(3):
            door.publish([EphemeralEvent(str(number))])
            await door.drained()
            assert not door.healthy
        assert delivered == [EphemeralEvent("0"), EphemeralEvent("1"), EphemeralEvent("2")], (
            "delivery within the process needs no layer"
        )
        await until(lambda: door.healthy)
        proxy.heal()
        await asyncio.wait_for(announce_until_delivered(delivered, "from another process"), 5)
        door.publish([EphemeralEvent("3")])
        await door.drained()
        assert door.healthy
        await layer.flush()
    logged = [record.getMessage().rpartition(":")[0] for record in caplog.records]
    assert logged.count("the channel layer is away") == 1, "the open breaker keeps the door from trying again"
    assert "the channel layer does not answer" in logged
    assert door._receiver is not None
    door._receiver.cancel()
    door._loop = None
