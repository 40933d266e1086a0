"""The WebSocket protocol of the server, with a short way out for frames that are encoded already.

The rules of the protocol stay uvicorn's and websockets': handshake, frames in, pings, closing. `websocket_guard` adds
bounds for hostile clients. A text frame for 500 sockets is the same bytes for each, so it is encoded once. All frames
for one socket within one turn of the event loop (an acknowledgement and the message itself, all messages of a batch)
leave in one write.
"""

from typing import Any

from websockets.http11 import Request

from chatsite.server.websocket_guard import GuardedProtocol
from realtime.wire.wire_frame import WRITE_EXTENSION

# Bytes that may gather in one turn. More is written at once, so that a full transport is noticed.
TURN_BYTES = 64 * 1024


class ReadyFrameProtocol(GuardedProtocol):
    """Offers `realtime.wire.wire_frame.WRITE_EXTENSION` to the application."""

    # Frames that are written at the end of this turn of the event loop.
    _ready: list[bytes] | None = None
    _ready_bytes = 0

    def handle_connect(self, event: Request) -> None:
        """Begin the handshake and offer the extension to the application."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The application's task has not started yet.
            extensions = self.scope.get("extensions")
            assert extensions is not None, "uvicorn offers one of its own"
            extensions[WRITE_EXTENSION] = {"write": self.write_frame}

    def write_frame(self, frame: bytes) -> bool:
        """Write a whole frame; return False if `send` would wait or refuse. Call it only after the handshake."""
        if self.close_sent or self.transport.is_closing() or not self.writable.is_set():
            return False
        if self._ready is None:
            self._ready = [frame]
            self._ready_bytes = len(frame)
            if not _with_ready_frames:
                self.loop.call_soon(_write_all_ready)
            _with_ready_frames.append(self)
        else:
            self._ready.append(frame)
            self._ready_bytes += len(frame)
        if self._ready_bytes > TURN_BYTES:
            self.write_ready()
        return True

    def write_ready(self) -> None:
        """Write the frames that have gathered in this turn."""
        frames, self._ready = self._ready, None
        if frames is not None and not self.close_sent and not self.transport.is_closing():
            self.transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    async def send(self, message: Any) -> None:
        """Write a message of the application after the frames that have gathered."""
        if self._ready is not None:
            self.write_ready()
        await super().send(message)

    def shutdown(self) -> None:
        """Write the frames that have gathered, then close the connection because the server ends."""
        self.write_ready()
        super().shutdown()


_with_ready_frames: list[ReadyFrameProtocol] = []


def _write_all_ready() -> None:
    gathered = _with_ready_frames.copy()
    _with_ready_frames.clear()
    for protocol in gathered:
        protocol.write_ready()
