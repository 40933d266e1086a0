"""The server's additions to uvicorn's WebSocket protocol: ready frames, collected within one turn of the event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chatsite.server.websocket_protocol import TURN_BYTES, ReadyFrameProtocol
from realtime.wire.wire_frame import WRITE_EXTENSION, WireFrame

Write = Callable[[str], bool]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Server:
    """A server whose application is the test itself, through the `write` and `send` of each connection."""

    def __init__(self) -> None:
        self.protocols: list[ReadyFrameProtocol] = []
        self._opened: asyncio.Queue[tuple[Write, Send]] = asyncio.Queue()
        self._ended = asyncio.Event()

    async def __aenter__(self) -> "Server":
        self._config = Config(self._application, ws=ReadyFrameProtocol, interface="asgi3", log_level="error")
        self._config.load()
        self._server = await asyncio.get_running_loop().create_server(self._protocol, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._ended.set()
        self._server.close()
        await self._server.wait_closed()

    async def connects(self) -> tuple[ClientConnection, Write, Send]:
        port = self._server.sockets[0].getsockname()[1]
        client = await connect(f"ws://127.0.0.1:{port}/", compression=None, max_size=None)
        return client, *(await self._opened.get())

    def _protocol(self) -> ReadyFrameProtocol:
        protocol = ReadyFrameProtocol(config=self._config, server_state=ServerState(), app_state={})
        self.protocols.append(protocol)
        return protocol

    async def _application(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        write = scope["extensions"][WRITE_EXTENSION]["write"]
        self._opened.put_nowait((lambda text: bool(write(WireFrame(text.encode()).wire)), send))
        await self._ended.wait()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


async def all_of(client: ClientConnection) -> list[str]:
    found = []
    try:
        async with asyncio.timeout(5):
            while True:
                found.append(str(await client.recv()))
    except ConnectionClosed:
        return found


async def test_frames_of_one_turn_are_sent_in_one_write(server: Server, monkeypatch: Any) -> None:
    client, write, _ = await server.connects()
    writes: list[bytes] = []
    transport = server.protocols[0].transport
    monkeypatch.setattr(server.protocols[0], "transport", RecordingTransport(transport, writes))
    assert [write("one"), write("two"), write("three")] == [True] * 3
    assert [await client.recv() for _ in range(3)] == ["one", "two", "three"]
    assert len(writes) == 1
    write("four")
    assert await client.recv() == "four"
    assert len(writes) == 2


class RecordingTransport:
    """A transport that records what is written to it."""

    def __init__(self, transport: Any, writes: list[bytes]) -> None:
        self._transport = transport
        self._writes = writes

    def write(self, data: bytes) -> None:
        self._writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def test_ready_frames_and_asgi_messages_keep_their_order(server: Server) -> None:
    client, write, send = await server.connects()
    write("first")
    await send({"type": "websocket.send", "text": "second"})
    write("third")
    await send({"type": "websocket.close", "code": 4410})
    assert not write("after the close")
    assert await all_of(client) == ["first", "second", "third"]
    assert client.close_code == 4410


async def test_a_shutdown_sends_collected_frames_before_the_close(server: Server) -> None:
    client, write, _ = await server.connects()
    write("before the close")
    server.protocols[0].shutdown()
    assert await all_of(client) == ["before the close"]
    assert client.close_code == 1012


async def test_writing_to_a_disconnected_client_is_ignored(server: Server) -> None:
    client, write, _ = await server.connects()
    write("too late")
    server.protocols[0].transport.abort()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not write("much too late")
    assert await all_of(client) == []


async def test_write_returns_false_once_the_client_does_not_read(server: Server) -> None:
    client, write, _ = await server.connects()
    text = "x" * (TURN_BYTES // 2)
    written = 0
    while write(text):
        written += 1
        assert written < 10_000, "the transport never reports that it is full"
    async with asyncio.timeout(10):
        for _ in range(written):
            assert await client.recv() == text
