"""Clients that harm themselves and should harm nobody else.

Each is a task that goes on until it is cancelled: refused or cut off, it waits a moment and comes again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

from benchmarks.websocket import TEXT, frame

PAUSE = 0.5  # seconds until a client that was cut off comes again
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def never_reads(url: str, token: str) -> None:
    """Sign in, ask for answers all the time, and read none of them."""
    _, writer = await _upgraded(url, token, receive_buffer=4096)
    while True:
        writer.write(frame(TEXT, b'{"type":"ping"}'))
        await writer.drain()
        await asyncio.sleep(0.05)


async def slowloris(url: str, _token: str) -> None:
    """Send an upgrade that never ends, a header at a time."""
    _, writer = await _opened(url)
    writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\n")
    while True:
        writer.write(b"X-Slow: 1\r\n")
        await writer.drain()
        await asyncio.sleep(1)


async def fragments(url: str, token: str) -> None:
    """Send one message in fragments of a byte that never ends."""
    _, writer = await _upgraded(url, token)
    writer.write(bytes([TEXT, 0x81]) + b"\0\0\0\0{")
    while True:
        writer.write((b"\x00\x81\0\0\0\0 ") * 50)
        await writer.drain()
        await asyncio.sleep(0.02)


async def oversize(url: str, token: str) -> None:
    """Announce a frame of a gibibyte and begin to send it."""
    reader, writer = await _upgraded(url, token)
    writer.write(b"\x81\xff" + (2**30).to_bytes(8, "big") + b"\0\0\0\0" + os.urandom(65536))
    await writer.drain()
    while await reader.read(4096):
        pass


async def garbage(url: str, token: str) -> None:
    """Send frames that are no commands."""
    reader, writer = await _upgraded(url, token)
    for _ in range(40):
        writer.write(frame(TEXT, b"{not json"))
        await asyncio.sleep(0.02)
    while await reader.read(4096):
        pass


KINDS: tuple[Callable[[str, str], Awaitable[None]], ...] = (never_reads, slowloris, fragments, oversize, garbage)


async def harass(kind: Callable[[str, str], Awaitable[None]], url: str, token: str) -> None:
    """Do it again and again."""
    while True:
        with suppress(OSError, EOFError, asyncio.IncompleteReadError):
            await kind(url, token)
        await asyncio.sleep(PAUSE)


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
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer
