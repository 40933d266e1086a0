"""A connection ends within a time limit, whatever the client reads or answers."""

import asyncio
from typing import Any

import pytest

from realtime.socket.connection import WebSocketConnection
from realtime.socket.consumer import Consumer
from tests.waiting import DEADLINE

SHORT = 0.05


class ServerSide:
    """The server's side of a connection whose client reads the answer to its upgrade, and nothing more."""

    def __init__(self, *received: dict[str, Any]) -> None:
        self.transport = self
        self.aborted = asyncio.Event()
        self.accepted = False
        self._received = [{"type": "websocket.connect"}, *received]

    async def receive(self) -> dict[str, Any]:
        if self._received:
            return self._received.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("an endless wait returned")

    async def send(self, message: dict[str, Any]) -> None:
        if self.accepted:
            await asyncio.Event().wait()
        self.accepted = message["type"] == "websocket.accept"

    def abort(self) -> None:
        self.aborted.set()


@pytest.fixture(autouse=True)
def short_close_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("connection", "consumer"):
        monkeypatch.setattr(f"realtime.socket.{module}.CLOSE_SECONDS", SHORT)


async def serve(side: ServerSide) -> None:
    scope = {"type": "websocket", "headers": [], "client": ("192.0.2.1", 1)}
    async with asyncio.timeout(DEADLINE):
        await Consumer(WebSocketConnection(scope, side.receive, side.send)).serve()


async def test_a_refused_client_that_does_not_read_is_not_waited_for() -> None:
    side = ServerSide({"type": "websocket.receive", "text": "no auth"})
    await serve(side)
    assert not side.aborted.is_set(), "the client may still read what was sent"


async def test_a_connection_that_does_not_end_is_aborted() -> None:
    side = ServerSide({"type": "websocket.disconnect", "code": 1000})
    await serve(side)
    async with asyncio.timeout(DEADLINE):
        await side.aborted.wait()
