"""uvicorn's WebSocket protocol with less memory for an idle connection.

Most connections of a chat server are idle. asyncio's queue and event keep five deques of 760 bytes each, and the
request of the handshake lives as long as the connection. Together that is a third of a connection's memory.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from chatsite.server.garbage import release_websocket


class Inbox:
    """An `asyncio.Queue` for one reader: messages that came in and were not taken yet."""

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        """Add a message."""
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> Any:
        """Take the oldest message; wait for one if there is none."""
        while not self._messages:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._messages.pop(0)

    def empty(self) -> bool:
        """Return whether there is no message."""
        return not self._messages


class Gate:
    """An `asyncio.Event` that is set at first and costs memory only while somebody waits."""

    __slots__ = ("_open", "_waiting")

    def __init__(self) -> None:
        self._open = True
        self._waiting: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        """Return whether it is open."""
        return self._open

    def set(self) -> None:
        """Open it and wake everybody who waits."""
        self._open = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Close it."""
        self._open = False

    async def wait(self) -> None:
        """Return when it is open."""
        if self._open:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        finally:
            self._waiting.remove(waiter)


class LeanProtocol(WebSocketsSansIOProtocol):
    """One connection. It behaves like uvicorn's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = Inbox()  # type: ignore[assignment]
        self.writable = Gate()  # type: ignore[assignment]

    def handle_connect(self, event: Request) -> None:
        """Begin the handshake and drop the headers: the application has a copy in its scope."""
        super().handle_connect(event)
        event.headers.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and leave no cycles behind."""
        super().connection_lost(exc)
        release_websocket(self)

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            self.response.headers.clear()
