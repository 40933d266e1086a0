"""Sockets of the product over an ASGI `send` that blocks like a full transport."""

import asyncio
from typing import Any

import msgspec

from realtime.fanout.sockets import Socket
from realtime.registry import Identity
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.wire_frame import WireFrame
from tests.waiting import until


class Peer:
    """The other end of a socket. It reads until `stops_reading`; `socket` is the product's own object."""

    def __init__(self, user_id: str = "ana", session_id: str | None = None, *, takes_frames: bool = False) -> None:
        self.sent: list[dict[str, Any]] = []
        self.written: list[bytes] = []
        self.aborted = False
        self.broken = False
        self._reads = asyncio.Event()
        self._reads.set()
        identity = Identity(user_id=user_id, session_id=session_id or f"session of {user_id}")
        write = self._write if takes_frames else None
        self.socket = Socket(self._send, self._abort, identity, f"connection {id(self)}", write)

    def stops_reading(self) -> None:
        self._reads.clear()

    def reads_again(self) -> None:
        self._reads.set()

    async def reads(self, number: int) -> None:
        """Read again until this many messages have arrived."""
        self.reads_again()
        async with asyncio.timeout(5):
            while len(self.sent) < number:
                await asyncio.sleep(0)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.sent if message["type"] == "websocket.send"]

    @property
    def frames(self) -> list[Any]:
        return [msgspec.json.decode(text) for text in self.texts]

    @property
    def close_code(self) -> int | None:
        codes = [message["code"] for message in self.sent if message["type"] == "websocket.close"]
        assert len(codes) <= 1, "a socket closes at most once"
        return codes[0] if codes else None

    def deliver(self, *texts: str, droppable: bool = False) -> None:
        for text in texts:
            self.socket.outbox.deliver(WireFrame(text.encode()), droppable=droppable)

    async def closed(self) -> int | None:
        """Wait for the end; return the close code, or None when the connection was cut."""
        await until(lambda: self.close_code is not None or self.aborted)
        return self.close_code

    async def _send(self, message: dict[str, Any]) -> None:
        await self._reads.wait()
        if self.broken:
            raise OSError("the peer is gone")
        self.sent.append(message)

    def _write(self, frame: bytes) -> bool:
        if not self._reads.is_set():
            return False
        self.written.append(frame)
        return True

    def _abort(self) -> None:
        self.aborted = True


def sequences(peer: Peer) -> list[int]:
    return [frame["sequence"] for frame in peer.frames]


def frame_of(event: EphemeralEvent) -> Any:
    """The frame of an ephemeral event, as a peer reads it."""
    return msgspec.json.decode(event.text)
