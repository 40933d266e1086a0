"""uvicorn's HTTP protocol, with gaps closed that a hostile client could use, and a turnstile for those who come.

A client may send its next request before the last was answered, and hang up. uvicorn then tells only the newest
of the requests that nobody listens; the one under way writes to a transport that is gone, which fails in a place
where Django no longer gives its database connection back. Twenty such clients would take all connections.

A head (request line and headers) that never ends would be kept as it comes, without a limit, and so would trailers
after a body. They are refused with 431.

When thousands come back at once their upgrades are ready at once, and one turn of the event loop would make them
all while those who chat wait. So each turn makes a few.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

UPGRADES_IN_A_TURN = 4
# The kernel would take megabytes for a client that reads nothing, and its outbox would never fill.
UNSENT_BYTES = 128 * 1024
# More than any client needs for a head.
HEAD_BYTES = 32 * 1024
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Turnstile:
    """Lets those who come through in order, a few in each turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def enter(self, go: Callable[[], None]) -> None:
        """Call `go` when it is its turn."""
        self._waiting.append(go)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        let_in = [self._waiting.popleft() for _ in range(min(UPGRADES_IN_A_TURN, len(self._waiting)))]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        for go in let_in:
            go()


_turnstile = Turnstile()


class GuardedHttpProtocol(HttpToolsProtocol):
    """One connection with all requests that were not answered yet."""

    _unanswered: tuple[RequestResponseCycle, ...] = ()
    # How many bytes came since a head, a part of a body or a request was complete.
    _unfinished = 0

    def data_received(self, data: bytes) -> None:
        """Take some bytes, and refuse those that never come to an end."""
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._unfinished = 0
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Begin a request, or queue it behind those that are under way."""
        self._unfinished = 0
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            waiting = (cycle for cycle in self._unanswered if not cycle.response_complete)
            self._unanswered = (*waiting, self.cycle)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and let the kernel keep little of what its client does not read."""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        super().connection_made(transport)

    def handle_websocket_upgrade(self) -> None:
        """Upgrade when it is this connection's turn."""
        self.transport.pause_reading()
        _turnstile.enter(self._upgrade)

    def _upgrade(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
            super().handle_websocket_upgrade()
            self.parser = None  # type: ignore[assignment] # they refer to each other

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request that the client has left."""
        for cycle in self._unanswered:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self._unanswered = ()
        super().connection_lost(exc)
