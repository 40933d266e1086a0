"""A frame that is encoded once and written to any number of sockets."""

from collections.abc import Callable
from typing import Any

# An extension of the WebSocket scope, with which the server writes encoded frames without ASGI's `send`. Its `write`
# gives a frame to the transport, or returns False where `send` would have to wait or fail.
WRITE_EXTENSION = "chatsite.write_frame"
WriteFrame = Callable[[bytes], bool]

_TEXT_AND_LAST = b"\x81"


class WireFrame:
    """One text message: its JSON in UTF-8 within an unmasked WebSocket frame."""

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
        """Bytes in an outbox."""
        return len(self.wire)

    @property
    def message(self) -> dict[str, Any]:
        """The message for ASGI's `send`."""
        return {"type": "websocket.send", "text": self._data.decode()}
