"""A server process rarely runs full garbage collections, so ended connections must leave no reference cycles."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from weakref import WeakSet

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from chatsite.server import garbage
from chatsite.server.garbage import SECONDS, Collector
from chatsite.server.http_guard import GuardedHttpProtocol
from chatsite.server.websocket_protocol import ReadyFrameProtocol
from realtime.registry import registry
from realtime.wire.wire_frame import WRITE_EXTENSION
from tests.clocks import Clock
from tests.waiting import until

Ending = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


def test_full_collections_are_separated_by_the_interval() -> None:
    clock, collected = Clock(), list[float]()
    start = clock.now
    collector = Collector(lambda: collected.append(clock.now), clock.monotonic)
    for seconds in (0, SECONDS - 1, SECONDS, SECONDS + 1, 2 * SECONDS):
        clock.now = start + seconds
        collector.look()
    assert collected == [start + SECONDS, start + 2 * SECONDS]


def test_the_collector_replaces_pythons_own_thresholds() -> None:
    collector, thresholds = Collector(), gc.get_threshold()
    ticks = registry.ticks[:]
    try:
        collector.begin()
        assert gc.get_threshold() == (garbage.YOUNG, garbage.MIDDLE, garbage.NEVER)
        assert gc.get_freeze_count() > 0
        assert registry.ticks == [*ticks, collector.look]
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        registry.ticks[:] = ticks


# --- Ended connections ----------------------------------------------------------------------


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers each frame with one frame."""
    write = scope["extensions"].get(WRITE_EXTENSION, {}).get("write")
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        write(b"\x81\x02{}")


async def aborts(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
    assert (await reader.read())[:1] == b"\x88"


async def exchanges_frames_then_aborts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x81\x82\0\0\0\0{}")
    assert await reader.readexactly(4) == b"\x81\x02{}"
    writer.transport.abort()


async def announces_a_too_large_frame(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x81\xff" + (2**30).to_bytes(8, "big") + b"\0\0\0\0")
    assert (await reader.read())[:1] == b"\x88"


async def sends_an_invalid_frame(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\xff\xff\xff\xff")
    assert (await reader.read())[:1] == b"\x88"


@pytest.fixture
async def address() -> AsyncIterator[tuple[int, WeakSet[object]]]:
    """The port of a server, and the set of its living connection objects."""
    alive = WeakSet[object]()

    class Socket(ReadyFrameProtocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            alive.add(self)
            alive.add(self.conn)

    def connection() -> GuardedHttpProtocol:
        protocol = GuardedHttpProtocol(config=config, server_state=ServerState(), app_state={})
        alive.add(protocol)
        return protocol

    config = Config(answers, ws=Socket, interface="asgi3", log_level="critical")
    config.load()
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    gc.disable()
    yield server.sockets[0].getsockname()[1], alive
    gc.enable()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "ends",
    [aborts, closes, exchanges_frames_then_aborts, announces_a_too_large_frame, sends_an_invalid_frame],
    ids=lambda f: f.__name__,
)
async def test_an_ended_connection_leaves_no_reference_cycle(
    address: tuple[int, WeakSet[object]], ends: Ending
) -> None:
    port, alive = address
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    assert alive
    await ends(reader, writer)
    writer.close()
    await until(lambda: not alive)
