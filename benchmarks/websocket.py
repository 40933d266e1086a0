"""A WebSocket client with as little overhead for the load generator as Python allows.

Lives here: the upgrade and the framing of RFC 6455 for a client, without extensions.
Does not live here: the meaning of the frames (`chatsite_client`) and when they are sent (`workloads`).

It is cheap for three reasons. It is an `asyncio.Protocol`, so no task or queue is between the
transport and `on_text`. The masking key is zero: masking costs the client nothing, while the server
still does its full work of unmasking. And data that are one whole frame, the usual case, are passed
to `on_text` without buffering.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_ZERO_MASK = b"\0\0\0\0"


def frame(opcode: int, payload: bytes) -> bytes:
    """Build one whole client frame, masked with the zero key."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + _ZERO_MASK + payload


class WebSocket(asyncio.Protocol):
    """One connection. Subclasses implement `on_text` and `on_close`."""

    __slots__ = ("_request", "_rest", "bytes_received", "close_code", "opened", "transport")

    def __init__(self, host: str, path: str, headers: dict[str, str]) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._rest = b""
        self.transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.close_code: int | None = None
        self.bytes_received = 0

    def on_text(self, payload: bytes) -> None:
        """Handle one text frame. Called once per frame, in the order of arrival."""

    def on_close(self) -> None:
        """Handle the end of the connection; `close_code` is None if no close frame came."""

    def send_text(self, payload: bytes) -> None:
        """Send one text frame now; do nothing after the end of the connection."""
        if not self.transport.is_closing():
            self.transport.write(frame(TEXT, payload))

    def close(self) -> None:
        """Drop the connection without a closing handshake."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed during the upgrade"))
        self.on_close()

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        if self._rest:
            data, self._rest = self._rest + data, b""
        if self._request:
            data = self._upgraded(data)
        # One whole, final text frame below 64 KiB: nearly every delivery of a benchmark.
        size = len(data)
        if size > 4 and data[0] == 0x81:
            short = data[1]
            if short < 126:
                if size == short + 2:
                    self.on_text(data[2:])
                    return
            elif short == 126 and size == ((data[2] << 8) | data[3]) + 4:
                self.on_text(data[4:])
                return
        self._take_frames(data)

    def _upgraded(self, data: bytes) -> bytes:
        """Consume the answer to the upgrade, and return the data after it."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._rest = data
            return b""
        self._request = b""
        status = data[: data.find(b"\r\n")]
        if b" 101 " not in status:
            self.opened.set_exception(ConnectionError(status.decode("latin-1")))
            self.transport.abort()
            return b""
        self.opened.set_result(None)
        return data[end + 4 :]

    def _take_frames(self, data: bytes) -> None:
        """Handle frames that arrived together, and buffer an incomplete one."""
        at, size = 0, len(data)
        while size - at >= 2:
            first, length, start = data[at], data[at + 1], at + 2
            if length == 126:
                if size - start < 2:
                    break
                length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif length == 127:
                if size - start < 8:
                    break
                length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            if size - start < length:
                break
            at = start + length
            self._take(first, data[start:at])
        self._rest = data[at:]

    def _take(self, first: int, payload: bytes) -> None:
        if first == 0x80 | TEXT:
            self.on_text(payload)
        elif first == 0x80 | PING:
            self.transport.write(frame(PONG, payload))
        elif first == 0x80 | CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
            self.transport.close()
        elif first != 0x80 | PONG:
            raise ValueError(f"a frame the server should not send: {first:#x}")
