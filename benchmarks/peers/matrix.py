"""A client of a Matrix server: long-polls `/sync` on one connection, sends on another.

A room's messages are sent one after the other, as Matrix clients do: the server orders them by arrival.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from benchmarks.clients import TEXT, Client, Invalid, clock
from benchmarks.peers.http import HttpConnection

_FILTER = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {
        "account_data": {"types": []},
        "ephemeral": {"types": []},
        "state": {"types": [], "lazy_load_members": True},
        "timeline": {"limit": 100, "types": ["m.room.message"]},
    },
}
_SYNC = "/_matrix/client/v3/sync?filter=" + quote(json.dumps(_FILTER, separators=(",", ":")))


class Content(msgspec.Struct):
    """The fields of a message that a benchmark checks."""

    body: str = ""
    message_id: str = ""


class Event(msgspec.Struct):
    """An event of a room."""

    content: Content


class Timeline(msgspec.Struct):
    """The newest events of a room; `limited`: some since the last answer are missing."""

    events: list[Event] = []
    limited: bool = False


class Room(msgspec.Struct):
    """The new events of a room."""

    timeline: Timeline = msgspec.field(default_factory=Timeline)


class Rooms(msgspec.Struct):
    """The new events of the rooms that the person is in."""

    join: dict[str, Room] = {}


class Sync(msgspec.Struct):
    """An answer of `/sync`."""

    next_batch: str
    rooms: Rooms = msgspec.field(default_factory=Rooms)


_decoder = msgspec.json.Decoder(Sync)


@dataclass(frozen=True, slots=True)
class MatrixPlace:
    """A person's token, and the room that a workload gives them; "" for none."""

    token: str
    room_id: str


class MatrixClient(Client):
    """One person who syncs, and sends to one room; `ready` is set when the first long poll is waiting."""

    def __init__(self, host: str, place: MatrixPlace, faults: list[str]) -> None:
        super().__init__(faults)
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._headers = f"Host: {host}\r\nAuthorization: Bearer {place.token}\r\n"
        self._room = quote(place.room_id)
        self._previous = ""  # the newest identifier received
        self._syncing = self._new_connection()
        self._sending = self._new_connection()

    async def connect(self, host: str, port: int, *, sends: bool) -> None:
        """Connect, get the position of the stream of events, and start polling there."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._syncing, host, port)
        if sends:
            await loop.create_connection(lambda: self._sending, host, port)
        self._syncing.ask(self._request("GET", f"{_SYNC}&timeout=0"), self._take_first_sync)
        await self.ready

    def send_message(self, message_id: str) -> None:
        body = json.dumps({"msgtype": "m.text", "body": TEXT, "message_id": message_id}).encode()
        path = f"/_matrix/client/v3/rooms/{self._room}/send/m.room.message/{message_id}"

        def answered(status: int, said: bytes) -> None:
            if status == 200:
                self.take_ack(message_id, clock())
            else:
                self.faults.append(f"a message was refused: {status} {said[:200]!r}")

        self._sending.ask(self._request("PUT", path, body), answered)

    def close(self) -> None:
        self._syncing.abort()
        self._sending.abort()

    def _new_connection(self) -> HttpConnection:
        return HttpConnection(self._count_bytes, self._take_end)

    def _count_bytes(self, number: int) -> None:
        self.bytes_received += number

    def _take_end(self) -> None:
        if not self.leaving:
            self.faults.append("a connection was closed")
            if not self.ready.done():
                self.ready.set_exception(Invalid(self.faults[-1]))

    def _take_first_sync(self, status: int, body: bytes) -> None:
        if status != 200:
            self.ready.set_exception(Invalid(f"the first sync was refused: {status} {body[:200]!r}"))
            return
        self._sync_on(_decoder.decode(body).next_batch)
        self.ready.set_result(None)

    def _sync_on(self, since: str) -> None:
        self._syncing.ask(self._request("GET", f"{_SYNC}&timeout=120000&since={since}"), self._take_sync)

    def _take_sync(self, status: int, body: bytes) -> None:
        now = clock()
        if status != 200:
            self.faults.append(f"a sync was refused: {status} {body[:200]!r}")
            return
        answer = _decoder.decode(body)
        self._sync_on(answer.next_batch)
        for room in answer.rooms.join.values():
            if room.timeline.limited:
                self.faults.append("a sync left messages out")
            for event in room.timeline.events:
                self._take_content(event.content, now)

    def _take_content(self, content: Content, now: float) -> None:
        if content.body != TEXT:
            self.faults.append("a message came with another text")
        elif content.message_id <= self._previous:  # identifiers grow, and a room has one sender
            self.faults.append(f"{content.message_id} came after {self._previous}")
        self._previous = content.message_id
        self.take_message(content.message_id, now)

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        return f"{method} {path} HTTP/1.1\r\n{self._headers}{length}\r\n".encode() + body
