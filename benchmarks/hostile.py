"""Hostile clients, which must not harm other clients, in a process of their own.

Each is a task that runs until it is cancelled: when it is refused or disconnected, it waits a moment and connects
again. They do not run in the measuring process, because they would delay its measurements.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import uvloop

from benchmarks.websocket import TEXT, frame

PAUSE = 0.5  # seconds until a disconnected client connects again
BEGIN, END = b"begin\n", b"end\n"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def never_reads(url: str, token: str) -> None:
    """Sign in, request answers all the time, and read none of them."""
    _, writer = await _upgraded(url, token, receive_buffer=4096)
    while True:
        await _say(writer, frame(TEXT, b'{"type":"ping"}'))
        await asyncio.sleep(0.05)


async def slowloris(url: str, _token: str) -> None:
    """Send an endless upgrade request, one header at a time."""
    _, writer = await _opened(url)
    await _say(writer, b"GET /ws HTTP/1.1\r\nHost: x\r\n")
    while True:
        await _say(writer, b"X-Slow: 1\r\n")
        await asyncio.sleep(1)


async def fragments(url: str, token: str) -> None:
    """Send one endless message in fragments of one byte."""
    _, writer = await _upgraded(url, token)
    await _say(writer, bytes([TEXT, 0x81]) + b"\0\0\0\0{")
    while True:
        await _say(writer, (b"\x00\x81\0\0\0\0 ") * 50)
        await asyncio.sleep(0.02)


async def oversize(url: str, token: str) -> None:
    """Announce a frame of a gibibyte and start sending it."""
    reader, writer = await _upgraded(url, token)
    await _say(writer, b"\x81\xff" + (2**30).to_bytes(8, "big") + b"\0\0\0\0" + os.urandom(65536))
    while await reader.read(4096):
        pass


async def garbage(url: str, token: str) -> None:
    """Send frames that are no commands."""
    reader, writer = await _upgraded(url, token)
    for _ in range(40):
        await _say(writer, frame(TEXT, b"{not json"))
        await asyncio.sleep(0.02)
    while await reader.read(4096):
        pass


KINDS: tuple[Callable[[str, str], Awaitable[None]], ...] = (never_reads, slowloris, fragments, oversize, garbage)


class HostileClients:
    """One hostile client for each token, of alternating kinds, active from `begin` to `end`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, url: str, tokens: Sequence[str], kinds: Sequence[str]) -> HostileClients:
        """Start the process, whose clients do nothing yet."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.hostile", json.dumps([url, tokens, kinds]), stdin=asyncio.subprocess.PIPE
        )
        return cls(process)

    def begin(self) -> None:
        """Start the attack."""
        self._input.write(BEGIN)

    def end(self) -> None:
        """Stop the attack."""
        self._input.write(END)

    async def stop(self) -> None:
        """End the process.

        :raises RuntimeError: it had failed.
        """
        self._input.close()
        if await self._process.wait():
            raise RuntimeError("the hostile clients' process failed")

    @property
    def _input(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None
        return self._process.stdin


async def _harass(kind: Callable[[str, str], Awaitable[None]], url: str, token: str) -> None:
    while True:
        with suppress(OSError, EOFError, asyncio.IncompleteReadError):
            await kind(url, token)
        await asyncio.sleep(PAUSE)


async def _obey(url: str, tokens: Sequence[str], kinds: Sequence[str]) -> None:
    """Start and stop on commands from standard input, until it ends."""
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    chosen = [kind for kind in KINDS if kind.__name__ in kinds]
    tasks: list[asyncio.Task[None]] = []
    while order := await orders.readline():
        if order == BEGIN:
            tasks = [
                asyncio.create_task(_harass(chosen[number % len(chosen)], url, token))
                for number, token in enumerate(tokens)
            ]
        else:
            for task in tasks:
                task.cancel()
            for end in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(end, asyncio.CancelledError):
                    raise RuntimeError("a hostile client gave up") from end


async def _opened(url: str, *, receive_buffer: int | None = None) -> Stream:
    address = urlsplit(url)
    connection = socket.socket()
    connection.setblocking(False)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(connection, (address.hostname, address.port or 80))
    return await asyncio.open_connection(sock=connection, limit=4096)


async def _upgraded(url: str, token: str, *, receive_buffer: int | None = None) -> Stream:
    reader, writer = await _opened(url, receive_buffer=receive_buffer)
    await _say(
        writer,
        f"GET /ws HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode(),
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _say(writer: asyncio.StreamWriter, said: bytes) -> None:
    """Send some bytes.

    :raises ConnectionResetError: the server has closed the connection; uvloop would raise RuntimeError.
    """
    if writer.is_closing():
        raise ConnectionResetError
    writer.write(said)
    await writer.drain()


if __name__ == "__main__":
    uvloop.run(_obey(*json.loads(sys.argv[1])))
