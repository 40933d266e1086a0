"""A TCP proxy that misbehaves on demand: slow, cut, silent, or deaf in one direction."""

import asyncio
import socket
import struct
from typing import Literal, Self

Direction = Literal["up", "down"]  # up: towards the server; down: towards the client


class Proxy:
    """Forwards connections from a port of its own to a server.

    Use it as `async with Proxy(port) as proxy:` and let the client connect to `proxy.port`.
    The faults hold for open and for new connections alike, until `heal()`.
    """

    def __init__(self, target_port: int, *, host: str = "127.0.0.1", latency: float = 0.0) -> None:
        self.target = (host, target_port)
        self.port = 0
        self.latency = latency  # seconds added to each direction
        self.accepted = 0
        self._flowing: dict[Direction, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._dropping: set[Direction] = set()
        self._refusing = False
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        for event in self._flowing.values():
            event.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        ending = [link.task for link in self._links if link.task is not None]
        self.cut()
        if ending:
            await asyncio.wait(ending)

    @property
    def open_connections(self) -> int:
        """How many connections are being forwarded now."""
        return len(self._links)

    def cut(self) -> None:
        """Reset every open connection on both sides (RST), without a goodbye."""
        for link in list(self._links):
            link.abort()
            if link.task is not None:
                link.task.cancel()

    def refuse(self) -> None:
        """Cut, and reset every new connection too."""
        self._refusing = True
        self.cut()

    def silence(self, *directions: Direction) -> None:
        """Hold all bytes back (default: both directions); connections stay open, a black hole.

        Nothing is read either, so a sender's buffers fill as behind a peer that has stopped reading.
        Held bytes flow after `heal()`, as after a partition that TCP outlives.
        """
        for direction in directions or ("up", "down"):
            self._flowing[direction].clear()

    def drop(self, *directions: Direction) -> None:
        """Swallow all bytes of the directions (default: both); what is swallowed is gone.

        A stream with a hole is of no use afterwards: `cut()` it before `heal()`.
        """
        self._dropping.update(directions or ("up", "down"))

    def heal(self) -> None:
        """End every fault."""
        self._refusing = False
        self._dropping.clear()
        for event in self._flowing.values():
            event.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(writer)
        link.task = asyncio.create_task(self._forward(link, reader))
        self._links.add(link)
        # This task itself is never cancelled: the stream server would complain about it.
        await asyncio.wait([link.task])
        link.abort()
        self._links.discard(link)

    async def _forward(self, link: "_Link", reader: asyncio.StreamReader) -> None:
        if self._refusing:
            return
        await self._flowing["up"].wait()
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.target)
            link.writers.append(up_writer)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, up_writer, "up"))
                pumps.create_task(self._pump(up_reader, link.writers[0], "down"))
        except* OSError:
            pass  # one side went away: so does the other

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
        clock = asyncio.get_running_loop().time
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)

        async def read() -> None:
            while True:
                await self._flowing[direction].wait()
                chunk = await reader.read(65536)
                await queue.put((clock() + self.latency, chunk))
                if not chunk:
                    return

        async def write() -> None:
            while True:
                due, chunk = await queue.get()
                if (early := due - clock()) > 0:
                    await asyncio.sleep(early)
                await self._flowing[direction].wait()
                if not chunk:
                    writer.write_eof()
                    return
                if direction not in self._dropping:
                    writer.write(chunk)
                    await writer.drain()

        async with asyncio.TaskGroup() as both:
            both.create_task(read())
            both.create_task(write())


class _Link:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.task: asyncio.Task[None] | None = None
        self.writers = [writer]

    def abort(self) -> None:
        for writer in self.writers:
            if not writer.transport.is_closing():
                connection: socket.socket = writer.get_extra_info("socket")
                # Lingering for zero seconds makes close() send RST instead of FIN.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
