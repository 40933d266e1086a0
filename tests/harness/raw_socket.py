"""A WebSocket client that sends exactly the bytes that a test gives, and shows exactly the frames that it gets.

For input that no library sends: frames that break RFC 6455, single bytes, half-closed connections.
"""

import json
import os
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.raw_frames import CLOSE, TEXT, command, frame, upgrade
from tests.waiting import DEADLINE


@dataclass(frozen=True)
class Frame:
    """A frame from the server."""

    opcode: int
    payload: bytes

    @property
    def body(self) -> Any:
        """The JSON object of a text frame."""
        assert self.opcode == TEXT, self
        return json.loads(self.payload)


@dataclass
class Ending:
    """How the server ended a connection: what it still sent, and its close code.

    The code is 1005 for a close frame without one, and None when it hung up without a close frame.
    """

    frames: list[Frame] = field(default_factory=list)
    code: int | None = None
    seconds: float = 0.0

    @property
    def types(self) -> list[str]:
        """Types of the text frames that were still sent."""
        return [each.body["type"] for each in self.frames if each.opcode == TEXT]


class RawSocket:
    """One connection to a port of this machine."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        """Connect; a small `receive_buffer` (bytes) makes a client whose connection fills soon."""
        self._connection = socket.socket()
        if receive_buffer is not None:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.settimeout(DEADLINE)
        self._connection.connect(("127.0.0.1", port))
        self.port = port
        self._buffer = b""

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    # --- The handshake -----------------------------------------------------------------------

    def asks(self, request: bytes) -> tuple[int, dict[str, str]]:
        """Send a request and return status and headers of the answer; status 0 when there is none."""
        self.sends(request)
        while b"\r\n\r\n" not in self._buffer:
            if not self._receives():
                return 0, {}
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(status.split(" ")[1]), headers

    def answer_to(self, request: bytes) -> tuple[int, str]:
        """Send a request, read until the server hangs up, and return status and text; status 0 without an answer."""
        self.sends(request)
        self.reads_to_the_end()
        status = self._buffer.split(b" ", 2)[1] if self._buffer.startswith(b"HTTP/1.") else b"0"
        return int(status), self._buffer.decode("latin-1")

    def upgrades(self, token: str | None = None) -> "RawSocket":
        """Open the socket in the usual way, signed in with a token or not at all."""
        extra = {"Authorization": f"Bearer {token}"} if token is not None else {}
        status, headers = self.asks(upgrade(self.port, extra))
        assert status == 101, (status, headers)
        if token is not None:
            assert self._hears_anything().body["type"] == "connected"
        return self

    # --- Frames ------------------------------------------------------------------------------

    def sends(self, *parts: bytes) -> None:
        """Send bytes as they are, in one segment where they fit."""
        self._connection.sendall(b"".join(parts))

    def sends_into_the_void(self, data: bytes) -> None:
        """Send bytes to a server that may have hung up already."""
        try:
            self._connection.sendall(data)
        except ConnectionError:
            pass

    def sends_one_by_one(self, parts: Iterable[bytes], *, pause: float = 0.0) -> None:
        """Send each part in a segment of its own."""
        for part in parts:
            self._connection.sendall(part)
            time.sleep(pause)

    def sends_for(self, seconds: float, data: bytes) -> int:
        """Send the same bytes again and again for a while and read nothing; return how many were taken."""
        until, sent = time.monotonic() + seconds, 0
        self._connection.settimeout(0.05)
        try:
            while time.monotonic() < until:
                try:
                    sent += self._connection.send(data)
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
        finally:
            self._connection.settimeout(DEADLINE)
        return sent

    def bytes_waiting_at_the_server(self) -> int:
        """Return how much the server has given to its kernel that this side has not received."""
        mine, its = (f":{number:04X}" for number in (self._connection.getsockname()[1], self.port))
        for fields in _connections():
            if fields[1].endswith(its) and fields[2].endswith(mine):
                return int(fields[4].split(":")[0], 16)
        return 0

    def ends_its_side(self) -> None:
        """Half-close: nothing more will be sent, but everything is read."""
        self._connection.shutdown(socket.SHUT_WR)

    def hears(self) -> Frame:
        """Return the next frame except presence, which comes unasked.

        :raises ConnectionError: the server hung up.
        """
        while _is_presence(found := self._hears_anything()):
            pass
        return found

    def _hears_anything(self) -> Frame:
        while (found := self._take()) is None:
            if not self._receives():
                raise ConnectionError("the server hung up")
        return found

    def answers(self, type: str = "ping", **fields: Any) -> Frame:
        """Send a command and return its answer, which shows that the socket works."""
        self.sends(frame(TEXT, command(type, id="alive", **fields)))
        while (heard := self.hears()).opcode != TEXT or heard.body.get("id") != "alive":
            pass
        return heard

    def ending(self, *, within: float = DEADLINE, answers_close: bool = True) -> Ending:
        """Wait until the server has hung up; a close frame is answered first, as the standard asks, or not.

        Presence frames, which come unasked, are dropped.
        """
        begun, end = time.monotonic(), Ending()
        try:
            for heard in self._until_hung_up(begun + within):
                if heard.opcode != CLOSE:
                    if not _is_presence(heard):
                        end.frames.append(heard)
                    continue
                assert end.code is None, "a second close frame"
                end.code = int.from_bytes(heard.payload[:2], "big") if heard.payload else 1005
                if answers_close:
                    self._connection.sendall(frame(CLOSE, heard.payload[:2]))
        except ConnectionError:
            pass  # it closed with unread bytes, which resets the connection
        end.seconds = time.monotonic() - begun
        return end

    def reads_to_the_end(self, *, within: float = DEADLINE) -> None:
        """Read and drop everything until the server has hung up."""
        until = time.monotonic() + within
        try:
            while self._receives():
                assert time.monotonic() < until, "the server did not hang up in time"
        except ConnectionError:
            pass
        except TimeoutError:
            raise AssertionError("the server did not hang up in time") from None

    def _until_hung_up(self, until: float) -> Iterator[Frame]:
        while True:
            if (found := self._take()) is not None:
                yield found
                continue
            left = until - time.monotonic()
            assert left > 0, "the server did not hang up in time"
            self._connection.settimeout(left)
            try:
                if not self._receives():
                    return
            except TimeoutError:
                raise AssertionError("the server did not hang up in time") from None

    def _receives(self) -> bool:
        data = self._connection.recv(65536)
        self._buffer += data
        return bool(data)

    def _take(self) -> Frame | None:
        """Parse one frame from the buffer; the server's frames are never masked, fragmented or with reserved bits."""
        if len(self._buffer) < 2:
            return None
        first, size, start = self._buffer[0], self._buffer[1], 2
        assert first & 0xF0 == 0x80, f"a fragment or reserved bits: {self._buffer[:16]!r}"
        assert size < 0x80, "a masked frame"
        if size > 125:
            start += 2 if size == 126 else 8
            if len(self._buffer) < start:
                return None
            size = int.from_bytes(self._buffer[2:start], "big")
        if len(self._buffer) < start + size:
            return None
        payload, self._buffer = self._buffer[start : start + size], self._buffer[start + size :]
        return Frame(first & 0x0F, payload)


def connections_at(port: int) -> int:
    """Return how many connections a server process holds open at its port, as the kernel knows them."""
    local = f":{port:04X}"
    # 0A is the listening socket; without an inode no process holds it any more.
    return sum(fields[1].endswith(local) and fields[3] != "0A" and fields[9] != "0" for fields in _connections())


def is_connected_to(port: int, pid: int) -> bool:
    """Return whether a process holds a connection to this port open."""
    try:
        open_files = {os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False  # it closed a file just now, or is not there any more
    remote = f":{port:04X}"
    return any(fields[2].endswith(remote) and f"socket:[{fields[9]}]" in open_files for fields in _connections())


def _connections() -> Iterator[list[str]]:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        yield line.split()


def _is_presence(heard: Frame) -> bool:
    return heard.opcode == TEXT and heard.body.get("type") == "presence"
