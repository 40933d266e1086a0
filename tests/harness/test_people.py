"""What people say about frames is true, above all when it is that something did not come."""

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.harness.device import Device, Person
from tests.harness.rest import Refused, refused
from tests.harness.socket_side import matches
from tests.waiting import DEADLINE


@pytest.fixture
async def ana() -> AsyncIterator[Device]:
    """A device at a server that says back what it is told to say, and closes when told to."""

    async def answer(socket: ServerConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            if frame["type"] == "close":
                await socket.close(frame["code"])
            else:
                await socket.send(json.dumps(frame["answer"] | {"id": frame["id"]}))

    async with serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        at: Any = SimpleNamespace(port=port, http=f"http://127.0.0.1:{port}")
        site: Any = SimpleNamespace(recent_logs=lambda: "no logs")
        device = Device(Person("ana", "ana", "1"), "laptop", "token", at, site)
        await device.opens_socket()
        yield device
        await device.leaves()


async def test_a_frame_answers_one_wait_only(ana: Device) -> None:
    await ana.says("say", answer={"type": "typing", "user_id": "2"})
    await ana.receives("typing", user="2")
    with pytest.raises(AssertionError, match="did not hear typing"):
        await ana.receives("typing", user="2", within=0.1)


async def test_frames_in_between_are_kept_for_later(ana: Device) -> None:
    for name in ("one", "two"):
        await ana.says("say", answer={"type": "new_message", "message": {"content": name}})
    await ana.receives("new_message", content="two")
    await ana.receives("new_message", content="one")


async def test_a_field_that_is_absent_does_not_match(ana: Device) -> None:
    assert not matches({"type": "presence"}, "presence", {"last_seen": None})
    assert matches({"type": "presence", "last_seen": None}, "presence", {"last_seen": None})
    assert not matches({"type": "typing", "user_id": "2"}, "typing", {"user": "3"})
    assert matches({"type": "x", "participant": {"user_id": "2"}}, "x", {"user": "2"})


async def test_has_not_heard_fails_after_a_taken_frame(ana: Device) -> None:
    ana.has_not_heard("typing")
    await ana.says("say", answer={"type": "typing", "user_id": "2"})
    await ana.receives("typing")
    with pytest.raises(AssertionError, match="should not have heard"):
        ana.has_not_heard("typing")


async def test_an_error_is_a_refusal_with_its_code(ana: Device) -> None:
    with refused("forbidden"):
        await ana.asks("say", answer={"type": "error", "code": "forbidden"})
    with pytest.raises(AssertionError, match="not with not_found"):
        with refused("not_found"):
            await ana.asks("say", answer={"type": "error", "code": "forbidden"})
    with pytest.raises(AssertionError, match="not refused"):
        with refused("not_found"):
            await ana.asks("say", answer={"type": "pong"})
    with pytest.raises(AssertionError, match="404"):
        with refused("not_found", status=404):
            raise Refused({"code": "not_found"}, status=410)


async def test_waiting_on_a_closed_socket_fails_at_once(ana: Device) -> None:
    await ana.says("close", code=4400)
    with pytest.raises(AssertionError, match="close code 4400"):
        await asyncio.wait_for(ana.receives("pong", within=2 * DEADLINE), DEADLINE)


async def test_the_close_code_is_compared(ana: Device) -> None:
    with pytest.raises(AssertionError, match="was not closed"):
        await ana.is_closed(within=0.05)
    await ana.says("close", code=4400)
    with pytest.raises(AssertionError, match="closed with 4400, not 1012"):
        await ana.is_closed(1012)
    assert await ana.is_closed(4400) == 4400
