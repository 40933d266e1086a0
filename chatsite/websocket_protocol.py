"""The WebSocket protocol of the server: a guarded way in, and a short way out for frames that are ready.

Everything that is a rule of the protocol stays uvicorn's and websockets': the handshake, what comes in,
pings, closing; what they leave open to a hostile client is closed by `websocket_guard`. A text frame to be
written to 500 sockets is the same bytes for each, so it is made once.
"""

from websockets.http11 import Request

from chatsite.websocket_guard import GuardedProtocol
from realtime.wire import WRITE_EXTENSION


class ReadyFrameProtocol(GuardedProtocol):
    """Offers `realtime.wire.WRITE_EXTENSION` to the application."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The application's task has not started yet.
            extensions = self.scope.get("extensions")
            assert extensions is not None, "uvicorn offers one of its own"
            extensions[WRITE_EXTENSION] = {"write": self.write_frame}

    def write_frame(self, frame: bytes) -> bool:
        """Write a whole frame if `send` would neither wait nor refuse; only after the handshake."""
        if self.close_sent or self.transport.is_closing() or not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True
