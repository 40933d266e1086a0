"""The door of a process that is no server: a command or a worker, which has no event loop of its own."""

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
from realtime.wire.items import Item, Notice, pack, unpack
from tests.harness.proxy import Proxy, proxied
from tests.waiting import until


@pytest.fixture
def door() -> Iterator[Door]:
    """A door whose loop ends with the test."""
    door = Door()
    yield door
    if door._loop is not None and not door._loop.is_closed():
        door._loop.call_soon_threadsafe(door._loop.stop)


@asynccontextmanager
async def layer_by_proxy() -> AsyncIterator[tuple[RedisPubSubChannelLayer, Proxy]]:
    """The channel layer of production, behind a proxy."""
    async with proxied(settings.REDIS_URL) as (address, proxy):
        yield RedisPubSubChannelLayer(**stores.channel_layer(address)["CONFIG"]), proxy


async def test_what_a_command_announces_reaches_the_servers_before_the_command_ends(door: Door) -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    notice = Notice("news", user_ids=["ana"])

    def command() -> None:
        door.pass_on([notice])
        door._flush()
        assert not door._outgoing

    await asyncio.to_thread(command)
    envelope = await asyncio.wait_for(layer.receive(channel), 5)
    assert unpack(envelope["items"]) == [notice]
    assert envelope["origin"] == door.origin
    await layer.group_discard(GROUP, channel)


async def test_a_command_does_not_wait_for_a_layer_that_hangs(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "PUBLISH_TIMEOUT_SECONDS", 60)
    async with layer_by_proxy() as (layer, proxy):
        monkeypatch.setattr(door_module, "get_channel_layer", lambda: layer)
        proxy.silence()
        begun = time.monotonic()
        await asyncio.to_thread(door.pass_on, [Notice("news", user_ids=["ana"])])
        await asyncio.to_thread(door._flush)
        assert 0.9 < time.monotonic() - begun < 5
        assert door._publisher is not None
        assert not door._publisher.done(), "it still hangs"
        door._loop.call_soon_threadsafe(door._publisher.cancel)  # type: ignore[union-attr]
        await until(door._publisher.done)


def test_a_process_that_is_ending_announces_nothing_more_and_fails_at_nothing(door: Door) -> None:
    door._flush()
    door._loop = asyncio.new_event_loop()
    door._flush()
    door._loop.close()
    door.pass_on([Notice("news", user_ids=["ana"])])
    assert not door._outgoing


def test_threads_of_a_command_share_one_door(door: Door) -> None:
    before = set(threading.enumerate())  # perhaps with the door of another test, which is ending
    callers = [threading.Thread(target=door.pass_on, args=[[Notice(str(n), user_ids=["ana"])]]) for n in range(3)]
    with door._lock:  # all of them find that there is no loop yet
        for caller in callers:
            caller.start()
        time.sleep(0.1)
    for caller in callers:
        caller.join(10)
    door._flush()
    assert [thread.name for thread in threading.enumerate() if thread not in before] == ["door"]


async def test_a_server_listens_once(door: Door) -> None:
    door.open()
    receiver = door._receiver
    door.open()
    assert door._receiver is receiver
    assert receiver is not None
    receiver.cancel()
    door._loop = None


# --- A server and its channel layer -------------------------------------------------------


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    """What the hub of this process was offered."""
    delivered: list[Item] = []
    monkeypatch.setattr(hub, "offer", delivered.extend)
    return delivered


@pytest.fixture
async def listening(door: Door, delivered: list[Item]) -> AsyncIterator[Door]:
    """The door of a server, which hears what others announce."""
    door.open()
    await asyncio.wait_for(heard(delivered, "begin"), 5)
    delivered.clear()
    yield door
    assert door._receiver is not None
    door._receiver.cancel()
    await asyncio.wait([door._receiver])
    door._loop = None


async def heard(delivered: list[Item], text: str) -> None:
    """Announce a notice from another process, again and again, until it is delivered here."""
    while Notice(text) not in delivered:
        await get_channel_layer().group_send(GROUP, {"type": "items", "origin": "other", "items": pack([Notice(text)])})
        await asyncio.sleep(0.05)


async def test_an_envelope_that_cannot_be_read_hinders_none_after_it(
    listening: Door, delivered: list[Item], caplog: pytest.LogCaptureFixture
) -> None:
    """Another release of the server may announce what this one does not know."""
    layer = get_channel_layer()
    for items in (b"\x91\x92\xa6future\x01", pack([Notice("after")])):
        await layer.group_send(GROUP, {"type": "items", "origin": "other", "items": items})
    await until(lambda: Notice("after") in delivered)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_a_layer_that_is_away_is_left_alone_for_a_while_and_used_again(
    door: Door, delivered: list[Item], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(door_module, "BREAKER_OPEN_SECONDS", 0.3)
    monkeypatch.setattr(door_module, "RECEIVE_RETRY_SECONDS", 0.05)
    async with layer_by_proxy() as (layer, proxy):
        monkeypatch.setattr(door_module, "get_channel_layer", lambda: layer)
        proxy.refuse()
        door.open()
        for number in range(3):
            door.pass_on([Notice(str(number))])
            await door.drained()
            assert not door.healthy
        assert delivered == [Notice("0"), Notice("1"), Notice("2")], "this process needs no layer"
        await until(lambda: door.healthy)
        proxy.heal()
        await asyncio.wait_for(heard(delivered, "from another process"), 5)
        door.pass_on([Notice("3")])
        await door.drained()
        assert door.healthy
        await layer.flush()
    said = [record.getMessage().rpartition(":")[0] for record in caplog.records]
    assert said.count("the channel layer is away") == 1, "the breaker is open"
    assert "the channel layer does not answer" in said
    assert door._receiver is not None
    door._receiver.cancel()
    door._loop = None
