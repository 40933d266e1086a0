"""An HTTP/1.1 client with little overhead for the load generator: one connection, one request at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

Answer = Callable[[int, bytes], None]  # takes status and body


class HttpConnection(asyncio.Protocol):
    """One keep-alive connection; answers go to the callbacks of their requests, in order."""

    def __init__(self, on_bytes: Callable[[int], None], on_close: Callable[[], None]) -> None:
        self._on_bytes = on_bytes
        self._on_close = on_close
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[bytes, Answer]] = deque()
        self._answer: Answer | None = None
        self._rest = b""

    def ask(self, request: bytes, answer: Answer) -> None:
        """Send a whole request after the earlier ones are answered."""
        self._waiting.append((request, answer))
        self._send_next()

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._on_close()

    def data_received(self, data: bytes) -> None:
        self._on_bytes(len(data))
        self._rest += data
        if (parsed := parse_answer(self._rest)) is None:
            return
        status, body, self._rest = parsed
        answer, self._answer = self._answer, None
        answer(status, body)
        self._send_next()

    def _send_next(self) -> None:
        if self._answer is None and self._waiting and not self._transport.is_closing():
            request, self._answer = self._waiting.popleft()
            self._transport.write(request)


def parse_answer(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return status, body and the rest of the data, of an answer with a length or in chunks; None if incomplete.

    :raises ValueError: the answer has no length.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    status, start = int(head.split(b" ", 2)[1]), end + 4
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        line_end = head.find(b"\r\n", at + 2)
        size = int(head[at + 17 : line_end if line_end >= 0 else len(head)])
        if len(data) - start < size:
            return None
        return status, data[start : start + size], data[start + size :]
    if b"\r\ntransfer-encoding: chunked" not in head:
        raise ValueError(f"an answer without a length: {head!r}")
    parts = []
    while (line_end := data.find(b"\r\n", start)) >= 0:
        size = int(data[start:line_end], 16)
        start = line_end + 2
        if len(data) < start + size + 2:
            return None
        if size == 0:
            return status, b"".join(parts), data[start + 2 :]
        parts.append(data[start : start + size])
        start += size + 2
    return None
