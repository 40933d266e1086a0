"""A TCP proxy that misbehaves on demand: slow, cut, silent, or deaf in one direction.

It stands between clients and servers, and between servers and their stores. Bytes pass from transport to
transport, without a task or a queue, so that a load of thousands of frames a second can go through it.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Literal, Self, cast

Direction = Literal["up", "down"]  # up: towards the server; down: towards the client
BOTH: tuple[Direction, Direction] = ("up", "down")


class Filter:
    """Sees, and may change, all that passes on one link; subclasses say what. The default changes nothing."""

    def __init__(self, link: "Link") -> None:
        self.link = link

    def passes(self, data: bytes, direction: Direction) -> bytes:
        """Return what is to be forwarded instead of these bytes; `link.write` may send the rest later."""
        return data


class Proxy:
    """Forwards connections from a port of its own to a server.

    Use it as `async with Proxy(port) as proxy:` and let the client connect to `proxy.port`.
    The faults hold for open and for new connections alike, until `heal()`.
    """

    def __init__(
        self,
        target_port: int,
        *,
        host: str = "127.0.0.1",
        latency: float = 0.0,
        filters: Callable[["Link"], Filter] | None = None,
    ) -> None:
        self.target = (host, target_port)
        self.port = 0
        self.latency = latency  # seconds added to each direction
        self.accepted = 0
        self.filters = filters
        self.links: set[Link] = set()
        self.silenced: set[Direction] = set()
        self.dropping: set[Direction] = set()
        self._refusing = False
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(lambda: Link(self).client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        while self.links:
            await asyncio.sleep(0.001)

    @property
    def open_connections(self) -> int:
        """How many connections are being forwarded now."""
        return len(self.links)

    def cut_unreached(self) -> None:
        """Reset the connections that were made while bytes were held back: of them nothing came through."""
        for link in list(self.links):
            if not link.server.is_there:
                link.cut()

    def cut(self) -> None:
        """Reset every open connection on both sides (RST), without a goodbye."""
        for link in list(self.links):
            link.cut()

    def refuse(self) -> None:
        """Cut, and reset every new connection too."""
        self._refusing = True
        self.cut()

    def silence(self, *directions: Direction) -> None:
        """Hold all bytes back (default: both directions); connections stay open, a black hole.

        Nothing is read either, so a sender's buffers fill as behind a peer that has stopped reading.
        Held bytes flow after `heal()`, as after a partition that TCP outlives.
        """
        self.silenced.update(directions or BOTH)
        self._tell()

    def drop(self, *directions: Direction) -> None:
        """Swallow all bytes of the directions (default: both); what is swallowed is gone.

        A stream with a hole is of no use afterwards: `cut()` it before `heal()`.
        """
        self.dropping.update(directions or BOTH)

    def heal(self) -> None:
        """End every fault."""
        self._refusing = False
        self.dropping.clear()
        self.silenced.clear()
        self._tell()

    def _tell(self) -> None:
        for link in list(self.links):
            link.silence_changed()

    def admits(self, link: "Link") -> bool:
        """Take a new connection in, or reset it."""
        self.accepted += 1
        if self._refusing:
            return False
        self.links.add(link)
        return True


class Link:
    """One connection through a proxy: the client's end, and the server's once it is reached."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.client = _End(self, "up")
        self.server = _End(self, "down")
        self.bytes = 0  # that came, in both directions
        self._filter = proxy.filters(self) if proxy.filters is not None else None
        self._reaching: asyncio.Task[None] | None = None
        self._over = False

    def cut(self) -> None:
        """Reset both sides."""
        for end in (self.client, self.server):
            end.reset()
        self.ended()

    def write(self, data: bytes, direction: Direction) -> None:
        """Send bytes on, past the filter."""
        (self.server if direction == "up" else self.client).write(data)

    def silence_changed(self) -> None:
        """Begin or end to hold bytes back, as the proxy says."""
        if self._reaching is None and "up" not in self.proxy.silenced and not self._over:
            self._reaching = asyncio.get_running_loop().create_task(self._reach())
        for end in (self.client, self.server):
            end.look_again()

    def accepted(self) -> None:
        """The client is there: find the server."""
        if self.proxy.admits(self):
            self.silence_changed()
        else:
            self._over = True
            self.client.reset()

    def came(self, data: bytes, end: "_End") -> None:
        """Forward what came in at one end."""
        self.bytes += len(data)
        if end.direction in self.proxy.dropping:
            return
        if self._filter is not None:
            data = self._filter.passes(data, end.direction)
        if data:
            self.write(data, end.direction)

    def other(self, end: "_End") -> "_End":
        """Return the opposite end."""
        return self.server if end is self.client else self.client

    def ended(self) -> None:
        """One side went away: so does the other."""
        if self._over:
            return
        self._over = True
        if self._reaching is not None:
            self._reaching.cancel()
        for end in (self.client, self.server):
            end.close()
        self.proxy.links.discard(self)

    async def _reach(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, *self.proxy.target)
        except OSError:
            self.cut()
        self.client.look_again()


class _End(asyncio.Protocol):
    """One end of a link. Reads towards `direction`, writes the other way, waits where it must."""

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
        """Read or stop reading, and write what waits, as silence and the other end allow."""
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
        """End after what was written has gone out; what waits for latency is given up."""
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
        # What is written at the client's end flows down.
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
