"""A TCP proxy that misbehaves on demand: slow, cut, silent, or deaf in one direction.

It stands between clients and servers, and between servers and their stores. Bytes pass from transport to
transport, without a task or a queue, so that a load of thousands of frames a second can go through it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal, Self
from urllib.parse import urlsplit

from tests.harness.proxy_end import End

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
        """Reset the connections that were opened while bytes were buffered: none of their bytes passed."""
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

    def strand(self) -> None:
        """Swallow all of the connections that are open now, for good, their ends too; new ones work.

        Like a router that lost its table of connections: neither side hears from the other again.
        """
        for link in list(self.links):
            link.is_stranded = True

    def heal(self) -> None:
        """End every fault, but for connections that are stranded."""
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
        self.client = End(self, "up")
        self.server = End(self, "down")
        self.bytes = 0  # that came, in both directions
        self.is_stranded = False
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

    def came(self, data: bytes, end: End) -> None:
        """Forward what came in at one end."""
        self.bytes += len(data)
        if self.is_stranded or end.direction in self.proxy.dropping:
            return
        if self._filter is not None:
            data = self._filter.passes(data, end.direction)
        if data:
            self.write(data, end.direction)

    def other(self, end: End) -> End:
        """Return the opposite end."""
        return self.server if end is self.client else self.client

    def ended(self) -> None:
        """One side went away: so does the other, unless it cannot hear of it."""
        if self._over or (self.is_stranded and (self.client.is_there or self.server.is_there)):
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


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[str, Proxy]]:
    """Put a proxy before the store at `url`; give the URL that leads through it, and the proxy."""
    parts = urlsplit(url)
    assert parts.port is not None
    async with Proxy(parts.port) as proxy:
        yield parts._replace(netloc=parts.netloc.replace(str(parts.port), str(proxy.port))).geturl(), proxy
