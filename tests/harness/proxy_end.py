"""One end of a connection through the proxy: bytes delayed by latency, silence or the other end, and the reset."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tests.harness.proxy import Direction, Link


class End(asyncio.Protocol):
    """One end of a link. Reads towards `direction`, writes the other way."""

    def __init__(self, link: Link, direction: Direction) -> None:
        self.link = link
        self.direction = direction
        self._transport: asyncio.Transport | None = None
        self._unwritten: deque[tuple[float, bytes]] = deque()  # (due, bytes); empty bytes are the end of the stream
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._full = False  # this end's peer does not take what we write
        self.has_ended = False  # the end of the stream was written to this end's peer

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.direction == "up":
            self.link.accepted()
        self.look_again()

    def data_received(self, data: bytes) -> None:
        self.link.came(data, self)

    def eof_received(self) -> bool:
        if not self.link.is_stranded:
            self.link.other(self).write(b"")
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.link.ended()

    def pause_writing(self) -> None:
        self._full = True
        self.link.other(self).look_again()

    def resume_writing(self) -> None:
        self._full = False
        self.link.other(self).look_again()

    # --- Towards the peer ---------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes to this end's peer: at once, or when latency and silence let them."""
        if not self._unwritten and self._transport is not None and not self.link.proxy.latency and not self._silenced:
            self._put(data)
            return
        self._unwritten.append((asyncio.get_running_loop().time() + self.link.proxy.latency, data))
        self._flush()

    def look_again(self) -> None:
        """Start or stop reading and write buffered bytes, as silence and the other end allow."""
        self._flush()
        if self._transport is None or self._transport.is_closing():
            return
        other = self.link.other(self)
        wanted = self.direction not in self.link.proxy.silenced and other.is_there and not other._full
        if wanted != self._reading:
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def reset(self) -> None:
        """End with RST instead of FIN: lingering for zero seconds makes close() do so."""
        if self._transport is not None and not self._transport.is_closing():
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def close(self) -> None:
        """Close after written bytes have gone out; bytes that wait for latency are lost."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()

    @property
    def is_there(self) -> bool:
        """Whether this end is connected."""
        return self._transport is not None

    @property
    def peer(self) -> tuple[str, int] | None:
        """The address at the other side of this end's connection; None when it is not connected."""
        return None if self._transport is None else self._transport.get_extra_info("peername")

    @property
    def local_port(self) -> int | None:
        """The proxy's own port on this end's connection; None when it is not connected."""
        return None if self._transport is None else int(self._transport.get_extra_info("sockname")[1])

    @property
    def _silenced(self) -> bool:
        # Bytes written at the client's end go down.
        return ("down" if self.direction == "up" else "up") in self.link.proxy.silenced

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is None or self._silenced:
            return
        loop = asyncio.get_running_loop()
        while self._unwritten:
            due, data = self._unwritten[0]
            if due > loop.time():
                self._timer = loop.call_at(due, self._flush)
                return
            self._unwritten.popleft()
            self._put(data)

    def _put(self, data: bytes) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        if data:
            self._transport.write(data)
        else:
            self.has_ended = True
            self._transport.write_eof()
            if self.link.other(self).has_ended:
                self.link.ended()
