"""A frame that is encoded once and written to any number of sockets."""

from collections.abc import Callable
from typing import Any

# The server's way past ASGI's `send` for frames that are ready: an extension of the WebSocket scope. Its `write`
# takes a frame to the transport, or returns False where `send` would have to wait or to complain.
WRITE_EXTENSION = "chatsite.write_frame"
WriteFrame = Callable[[bytes], bool]

_TEXT_AND_LAST = b"\x81"


class WireFrame:
    """One text message: its JSON in UTF-8, and around it the WebSocket frame of a server (unmasked)."""

    __slots__ = ("_data", "wire")

    def __init__(self, data: bytes) -> None:
        self._data = data
        size = len(data)
        if size < 126:
            length = size.to_bytes(1)
        elif size < 65_536:
            length = b"\x7e" + size.to_bytes(2)
        else:
            length = b"\x7f" + size.to_bytes(8)
        self.wire = _TEXT_AND_LAST + length + data

    @property
    def size(self) -> int:
        """Bytes that it takes in an outbox."""
        return len(self.wire)

    @property
    def message(self) -> dict[str, Any]:
        """The same for ASGI's `send`."""
        return {"type": "websocket.send", "text": self._data.decode()}
