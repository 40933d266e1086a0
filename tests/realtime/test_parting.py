"""A connection ends within a bound, whatever the client reads or answers."""

import asyncio
from typing import Any

import pytest

from realtime.socket.connection import Connection
from realtime.socket.consumer import Consumer

SHORT = 0.05


class Line:
    """A server's side of a connection whose client reads the answer to its upgrade, and nothing more."""

    def __init__(self, *received: dict[str, Any]) -> None:
        self.transport = self
        self.aborted = asyncio.Event()
        self.accepted = False
        self._received = [{"type": "websocket.connect"}, *received]

    async def receive(self) -> dict[str, Any]:
        if self._received:
            return self._received.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("for ever")

    async def send(self, message: dict[str, Any]) -> None:
        if self.accepted:
            await asyncio.Event().wait()
        self.accepted = message["type"] == "websocket.accept"

    def abort(self) -> None:
        self.aborted.set()


@pytest.fixture(autouse=True)
def short_partings(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("connection", "consumer"):
        monkeypatch.setattr(f"realtime.socket.{module}.CLOSE_SECONDS", SHORT)


async def serve(line: Line) -> None:
    scope = {"type": "websocket", "headers": [], "client": ("192.0.2.1", 1)}
    async with asyncio.timeout(5):
        await Consumer(Connection(scope, line.receive, line.send)).serve()


async def test_who_is_shown_out_and_does_not_read_why_is_not_waited_for() -> None:
    line = Line({"type": "websocket.receive", "text": "no auth"})
    await serve(line)
    assert not line.aborted.is_set(), "what was said may still be read"


async def test_a_line_that_is_not_let_go_is_cut() -> None:
    line = Line({"type": "websocket.disconnect", "code": 1000})
    await serve(line)
    async with asyncio.timeout(5):
        await line.aborted.wait()
