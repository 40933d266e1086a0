"""A client that has been away: connects, sends its cursors, and catches up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from benchmarks.clients import Invalid
from benchmarks.websocket import WebSocket


class Frame(msgspec.Struct):
    """The fields of a frame that are used here."""

    type: str
    conversation_id: str = ""
    sequence: int = 0
    heads: dict[str, int] = {}
    resync: list[str] = []


_decoder = msgspec.json.Decoder(Frame)


@dataclass(slots=True)
class CaughtUp:
    """The result of a sync: numbered events, and the heads of all conversations."""

    events: int = 0
    heads: dict[str, int] = field(default_factory=dict)


class CatchingUp(WebSocket):
    """A connection whose events must follow each conversation's cursor without a gap."""

    def __init__(self, host: str, token: str) -> None:
        super().__init__(host, "/ws", {"Authorization": f"Bearer {token}"})
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[None] = loop.create_future()
        self._cursors: dict[str, int] = {}
        self._caught_up = CaughtUp()
        self._done: asyncio.Future[CaughtUp] | None = None
        self._left = False

    async def sync(self, cursors: dict[str, int], since: str | None = None) -> CaughtUp:
        """Catch up from these cursors.

        :raises Invalid: the connection ended, or the events have a gap.
        """
        self._cursors, self._caught_up = dict(cursors), CaughtUp()
        self._done = asyncio.get_running_loop().create_future()
        command = {"type": "sync", "cursors": cursors} | ({"since": since} if since else {})
        self.send_text(msgspec.json.encode(command))
        return await self._done

    def leave(self) -> None:
        """Drop the connection on purpose."""
        self._left = True
        self.close()

    def on_text(self, payload: bytes) -> None:
        frame = _decoder.decode(payload)
        if frame.type == "connected":
            self.connected.set_result(None)
        elif frame.type in ("error", "reconnect"):
            self._fail(payload.decode())
        elif frame.type == "sync_complete":
            behind = [id for id, cursor in self._cursors.items() if frame.heads.get(id) != cursor]
            if behind or frame.resync:
                self._fail(f"a sync ended below the heads of {len(behind)} conversations")
            elif self._done is not None:
                self._caught_up.heads = frame.heads
                self._done.set_result(self._caught_up)
        elif frame.sequence:
            if frame.sequence != self._cursors.get(frame.conversation_id, 0) + 1:
                self._fail(f"event {frame.sequence} came after {self._cursors.get(frame.conversation_id)}")
            self._cursors[frame.conversation_id] = frame.sequence
            self._caught_up.events += 1

    def on_close(self) -> None:
        if not self._left:
            self._fail(f"the connection was closed with {self.close_code}")

    def _fail(self, why: str) -> None:
        for waiting in (self.connected, self._done):
            if waiting is not None and not waiting.done():
                waiting.set_exception(Invalid(why))


async def connected(server_url: str, token: str) -> CatchingUp:
    """Open a connection and wait until the server greets."""
    address = urlsplit(server_url)
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: CatchingUp(address.netloc, token), address.hostname, address.port or 80
    )
    await client.opened
    await client.connected
    return client
