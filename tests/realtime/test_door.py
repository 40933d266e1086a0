"""The door of a process that is no server: a command or a worker, which has no event loop of its own."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from channels.layers import get_channel_layer

from realtime import door as door_module
from realtime.door import GROUP, Door
from realtime.items import Notice, unpack


@pytest.fixture
def door() -> Iterator[Door]:
    """A door whose loop ends with the test."""
    door = Door()
    yield door
    if door._loop is not None and not door._loop.is_closed():
        door._loop.call_soon_threadsafe(door._loop.stop)


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
    class Hanging:
        async def group_send(self, *_: Any) -> None:
            await asyncio.sleep(60)

    monkeypatch.setattr(door_module, "get_channel_layer", Hanging)
    monkeypatch.setattr(door_module, "PUBLISH_TIMEOUT_SECONDS", 60)
    begun = asyncio.get_running_loop().time()
    await asyncio.to_thread(door.pass_on, [Notice("news", user_ids=["ana"])])
    await asyncio.to_thread(door._flush)
    assert 0.9 < asyncio.get_running_loop().time() - begun < 5
    assert door._publisher is not None
    door._loop.call_soon_threadsafe(door._publisher.cancel)  # type: ignore[union-attr]


def test_a_process_that_is_ending_announces_nothing_more_and_fails_at_nothing(door: Door) -> None:
    door._flush()
    door._loop = asyncio.new_event_loop()
    door._flush()
    door._loop.close()
    door.pass_on([Notice("news", user_ids=["ana"])])
    assert not door._outgoing


def test_threads_of_a_command_share_one_door(door: Door) -> None:
    doors = [thread for thread in threading.enumerate() if thread.name == "door"]
    callers = [threading.Thread(target=door.pass_on, args=[[Notice(str(n), user_ids=["ana"])]]) for n in range(3)]
    with door._lock:  # all of them find that there is no loop yet
        for caller in callers:
            caller.start()
        time.sleep(0.1)
    for caller in callers:
        caller.join(10)
    door._flush()
    assert len([thread for thread in threading.enumerate() if thread.name == "door"]) == len(doors) + 1


async def test_a_server_listens_once(door: Door) -> None:
    door.open()
    receiver = door._receiver
    door.open()
    assert door._receiver is receiver
    assert receiver is not None
    receiver.cancel()
    door._loop = None
