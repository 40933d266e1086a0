"""A signed-in client: sends messages, checks that what it hears is complete, single and in order.

Lives here: what frames mean to a client. Not here: framing (`websocket`), what is measured (`workloads`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from benchmarks.websocket import WebSocket

TEXT = "Hello, this is a message of an ordinary length: see you at eight?"
PATIENCE = 30.0  # seconds until something that never comes makes the run invalid
CONNECTING_AT_ONCE = 50
_clock = time.perf_counter


class Invalid(Exception):
    """The server lost, doubled, reordered or refused something: the run counts for nothing."""


class Body(msgspec.Struct):
    """What a benchmark looks at in a message."""

    client_message_id: str | None = None
    content: str = ""


class Frame(msgspec.Struct):
    """What a benchmark looks at in any frame; other fields are not even decoded."""

    type: str
    conversation_id: str = ""
    sequence: int = 0
    client_message_id: str | None = None
    message: Body | None = None


_decoder = msgspec.json.Decoder(Frame)
_last: tuple[bytes, Frame] = (b"", Frame(type=""))


def decode(payload: bytes) -> Frame:
    """Decode a frame; many receivers of the same bytes pay for one decoding and a comparison each."""
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


class Client(WebSocket):
    """One connection of one person in one conversation.

    `on_message(client, client_message_id, now)` is called for every new message, after its sequence
    was found to follow the one before; `on_ack(client, client_message_id, now)` for every acknowledgement.
    """

    __slots__ = (
        "connected", "conversation_id", "faults", "leaving", "messages", "on_ack", "on_message", "others",
        "sequence",
    )  # fmt: skip

    def __init__(self, host: str, place: Place, faults: list[str]) -> None:
        super().__init__(host, "/ws", {"Authorization": f"Bearer {place.token}"})
        self.conversation_id = place.conversation_id
        self.sequence = place.sequence
        self.faults = faults
        self.messages = 0
        self.others = 0  # frames that are neither message nor acknowledgement
        self.leaving = False
        self.on_message: Callable[[Client, str, float], None] | None = None
        self.on_ack: Callable[[Client, str, float], None] | None = None
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send_message(self, client_message_id: str) -> None:
        """Send one text message."""
        self.send_text(
            b'{"type":"send_message","conversation_id":"%b","client_message_id":"%b","content":"%b"}'
            % (self.conversation_id.encode(), client_message_id.encode(), TEXT.encode())
        )

    def leave(self) -> None:
        """Drop the connection."""
        self.leaving = True
        self.close()

    def on_text(self, payload: bytes) -> None:
        now = _clock()
        frame = decode(payload)
        if frame.type == "new_message":
            self._take_message(frame, now)
        elif frame.type == "message_ack":
            if self.on_ack is not None:
                self.on_ack(self, frame.client_message_id or "", now)
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
        self.messages += 1
        message = frame.message
        if message is None or message.content != TEXT:
            self.faults.append("a message came with another text")
        elif self.on_message is not None:
            self.on_message(self, message.client_message_id or "", now)


class Crowd:
    """The connections of one workload, and the faults found on any of them."""

    def __init__(self, server_url: str) -> None:
        address = urlsplit(server_url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self.faults: list[str] = []
        self.clients: list[Client] = []

    async def connect(self, places: Sequence[Place]) -> list[Client]:
        """Connect one client per place, some at a time, and wait until all are signed in."""
        turns = asyncio.Semaphore(CONNECTING_AT_ONCE)
        loop = asyncio.get_running_loop()

        async def one(place: Place) -> Client:
            async with turns:
                host = f"{self._host}:{self._port}"
                _, client = await loop.create_connection(
                    lambda: Client(host, place, self.faults), self._host, self._port
                )
                await client.opened
                await asyncio.wait_for(client.connected, PATIENCE)
                return client

        arrived = await asyncio.gather(*map(one, places))
        self.clients += arrived
        return arrived

    async def settle(self, seconds: float = 0.3) -> None:
        """Wait until nothing was heard on any connection for that long."""
        heard = -1
        while heard != (heard := sum(client.bytes_received for client in self.clients)):
            await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition.

        :raises Invalid: it did not come true in time, or a fault was found.
        """
        end = _clock() + PATIENCE
        while not condition():
            if self.faults or _clock() > end:
                raise Invalid("; ".join(self.faults[:3]) or f"waited in vain for {what}")
            await asyncio.sleep(0.01)

    async def check(self, expected: int, clients: Iterable[Client]) -> None:
        """Check that each of these clients heard exactly so many messages and nobody found a fault.

        :raises Invalid: otherwise.
        """
        await self.settle()
        for client in clients:
            if client.messages != expected:
                self.faults.append(f"{expected} messages were sent, a client heard {client.messages}")
        self.assert_faultless()

    def assert_faultless(self) -> None:
        """Raise what was found wrong.

        :raises Invalid: something was.
        """
        if self.faults:
            raise Invalid(f"{len(self.faults)} faults: " + "; ".join(self.faults[:3]))

    async def leave(self) -> None:
        """Drop all connections."""
        for client in self.clients:
            client.leave()
        self.clients = []
        await asyncio.sleep(0.1)


async def within_patience(waited_for: Awaitable[None], crowd: Crowd) -> None:
    """Wait for something.

    :raises Invalid: it did not come in time.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            await waited_for
    except TimeoutError as error:
        crowd.assert_faultless()
        raise Invalid("an answer never came") from error


def message_ids() -> Callable[[], str]:
    """Return a function that makes UUIDs, unique over all runs, at the price of formatting a number."""
    prefix = f"{time.time_ns() >> 16:012x}"
    numbers = itertools.count()
    head = f"{prefix[:8]}-{prefix[8:12]}-4000-8000"
    return lambda: f"{head}-{next(numbers):012x}"


new_message_id = message_ids()
