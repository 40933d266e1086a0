"""uvicorn's HTTP protocol with bounds for hostile clients and a turnstile for upgrades.

- **Pipelined requests.** A client may send its next request before the last was answered, and hang up. uvicorn notifies
  only the newest request of the disconnect. The one under way then writes to a closed transport and fails where Django
  no longer gives its database connection back; twenty such clients would take all connections. Here every request that
  is not answered is notified.
- **Endless heads.** uvicorn keeps a head (request line and headers), or trailers after a body, without a limit. They
  are refused with 431.
- **Early upgrades.** An upgrade before earlier requests were answered would give one connection two protocols: 400.
- **Frequent connects.** A device that connects too often, by the credential in its head, is refused with 429 before a
  WebSocket is made for it.
- **Mass reconnects.** When thousands of clients reconnect, one turn of the event loop would accept them all while
  everybody else waits. So upgrades are accepted one by one with a pause between, or a few in each turn while more than
  `MANY` wait.
"""

import asyncio
import math
import socket
from collections import deque
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chatsite.server.garbage import release_upgrade
from realtime.socket.connection import CLOSE_SECONDS
from realtime.socket.handshake import seconds_until_allowed

REST_SECONDS = 0.005
# The last of this many waits a quarter of a second. If more wait, several are called in each turn.
MANY = 50
UPGRADES_IN_A_TURN = 4
# Bytes that the kernel keeps for a client that does not read. By default it is megabytes, and the outbox never fills.
UNSENT_BYTES = 128 * 1024
# More than any client needs for its head.
HEAD_BYTES = 32 * 1024
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_EARLY = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_OFTEN = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: %d\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Turnstile:
    """Calls functions in order, one and then a pause; when many wait, a few in each turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._rested_at = 0.0  # by the clock of the event loop

    def enter(self, go: Callable[[], None]) -> None:
        """Call `go` in its turn."""
        self._waiting.append(go)
        if len(self._waiting) == 1:
            self._go_on(asyncio.get_running_loop())

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._waiting) > MANY or self._rested_at <= loop.time():
            loop.call_soon(self._turn, loop)
        else:
            loop.call_at(self._rested_at, self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        few = UPGRADES_IN_A_TURN if len(self._waiting) > MANY else 1
        let_in = [self._waiting.popleft() for _ in range(few)]
        self._rested_at = loop.time() + REST_SECONDS
        if self._waiting:
            self._go_on(loop)
        for go in let_in:
            loop.call_soon(go)  # each on its own: one that fails is logged and stops no other


_turnstile = Turnstile()


class GuardedHttpProtocol(HttpToolsProtocol):
    """One connection and all its requests that were not answered yet."""

    _unanswered: tuple[RequestResponseCycle, ...] = ()
    # Bytes since the last complete head, part of a body, or request.
    _unfinished = 0

    def data_received(self, data: bytes) -> None:
        """Take bytes; refuse a head that does not end."""
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > HEAD_BYTES and not self.transport.is_closing():
            self._end(TOO_LARGE)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._unfinished = 0
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Begin a request, or queue it behind those under way."""
        self._unfinished = 0
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            waiting = (cycle for cycle in self._unanswered if not cycle.response_complete)
            self._unanswered = (*waiting, self.cycle)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection and bound what the kernel keeps for it."""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        super().connection_made(transport)

    def handle_websocket_upgrade(self) -> None:
        """Upgrade in this connection's turn, or refuse."""
        if any(not cycle.response_complete for cycle in self._unanswered):
            self._end(TOO_EARLY)
        elif not self._connects_too_often():
            self.transport.pause_reading()
            _turnstile.enter(self._upgrade)

    def _upgrade(self) -> None:
        # Several upgrades of one device may have come before the first was counted.
        if self.transport.is_closing() or self._connects_too_often():
            return
        self.transport.resume_reading()
        try:
            super().handle_websocket_upgrade()
        except Exception:
            self.transport.abort()
            raise
        release_upgrade(self)

    def _connects_too_often(self) -> bool:
        wait = seconds_until_allowed(dict(self.scope["headers"]))
        if wait:
            self._end(TOO_OFTEN % math.ceil(wait))
        return bool(wait)

    def _end(self, answer: bytes) -> None:
        """Answer instead of the application and close; abort soon if the client does not read."""
        self.transport.write(answer)
        self.transport.close()
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify every request that the client has left."""
        for cycle in self._unanswered:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self._unanswered = ()
        super().connection_lost(exc)
