"""A client of Chatsite: the frames of its protocol over a WebSocket.

Lives here: the meaning of the frames. Does not live here: framing (`websocket`), the measurements (`workloads`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from benchmarks.clients import TEXT, Client, Invalid, clock
from benchmarks.websocket import WebSocket


class Body(msgspec.Struct):
    """The fields of a message that a benchmark checks."""

    client_message_id: str | None = None
    content: str = ""


class Frame(msgspec.Struct):
    """The fields of a frame that a benchmark checks; others are not decoded."""

    type: str
    conversation_id: str = ""
    sequence: int = 0
    client_message_id: str | None = None
    message: Body | None = None


_decoder = msgspec.json.Decoder(Frame)
_last: tuple[bytes, Frame] = (b"", Frame(type=""))


def decode(payload: bytes) -> Frame:
    """Decode a frame. Bytes equal to the last ones are not decoded again: many receivers get the same bytes."""
    global _last
    if payload != _last[0]:
        _last = (payload, _decoder.decode(payload))
    return _last[1]


@dataclass(frozen=True, slots=True)
class Place:
    """A person's token and the one conversation that a workload gives them."""

    token: str
    conversation_id: str
    sequence: int  # of the newest event before the run


class ChatsiteClient(WebSocket, Client):
    """One connection to `/ws`; it checks that each event has the next number of its conversation."""

    def __init__(self, host: str, place: Place, faults: list[str]) -> None:
        Client.__init__(self, faults)
        WebSocket.__init__(self, host, "/ws", {"Authorization": f"Bearer {place.token}"})
        self.conversation_id = place.conversation_id
        self.sequence = place.sequence
        self.others = 0  # frames other than messages and acknowledgements
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send_message(self, client_message_id: str) -> None:
        """Send one text message."""
        self.send_text(
            b'{"type":"send_message","conversation_id":"%b","client_message_id":"%b","content":"%b"}'
            % (self.conversation_id.encode(), client_message_id.encode(), TEXT.encode())
        )

    def on_text(self, payload: bytes) -> None:
        now = clock()
        frame = decode(payload)
        if frame.type == "new_message":
            self._take_message(frame, now)
        elif frame.type == "message_ack":
            self.take_ack(frame.client_message_id or "", now)
        elif frame.type == "connected":
            self.connected.set_result(None)
        elif frame.type in ("error", "reconnect"):
            self.faults.append(payload.decode())
        else:
            self.others += 1

    def on_close(self) -> None:
        if not self.leaving:
            self.faults.append(f"a socket was closed with {self.close_code}")
            if not self.connected.done():
                self.connected.set_exception(Invalid(self.faults[-1]))

    def _take_message(self, frame: Frame, now: float) -> None:
        if frame.sequence != self.sequence + 1 or frame.conversation_id != self.conversation_id:
            self.faults.append(f"event {frame.sequence} came after {self.sequence}")
        self.sequence = frame.sequence
        message = frame.message
        if message is None or message.content != TEXT:
            self.faults.append("a message came with another text")
        else:
            self.take_message(message.client_message_id or "", now)
