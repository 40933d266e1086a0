"""uvicorn's WebSocket protocol with bounds for hostile clients.

`websockets` keeps the rules of RFC 6455. Missing are: an answer to every bad handshake, a bound on pongs for a client
that does not read, and bounds on control frames and on parts of messages. The application never sees any of these.
"""

from django.conf import settings
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request

from chatsite.server.lean_protocol import LeanProtocol
from realtime.socket.rate import Bucket
from realtime.wire.close_codes import CloseCode

# Bytes that are parsed before their frames are looked at: so much of a flood is parsed in vain.
SLICE_BYTES = 2 * 1024
# Bytes that are read after the close frame to a client: enough for what was on its way.
AFTERMATH_BYTES = 256 * 1024
# Parts of one message. Each costs memory, however small it is.
MOST_PARTS = 128
NO_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class GuardedProtocol(LeanProtocol):
    """One connection, from the request for an upgrade on."""

    _control_frames: Bucket | None = None
    _aftermath = 0
    # The newest answer to a ping that the transport had no room for.
    _late_pong = b""

    def data_received(self, data: bytes) -> None:
        """Take bytes, a slice at a time; answer what is no request."""
        if self.close_sent:
            self._aftermath += len(data)
            if self._aftermath > AFTERMATH_BYTES:
                self.transport.abort()
                return
        if len(data) <= SLICE_BYTES:
            super().data_received(data)
        else:
            for start in range(0, len(data), SLICE_BYTES):
                if not self.transport.is_closing():
                    super().data_received(data[start : start + SLICE_BYTES])
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            # Too long, or not a request: uvicorn would leave both sides waiting.
            self._end_handshake(b"".join(self.conn.data_to_send()) or NO_REQUEST)

    # --- The handshake ----------------------------------------------------------------------

    def handle_connect(self, event: Request) -> None:
        """Begin the handshake; refuse another version of the protocol."""
        versions = event.headers.get_all("Sec-WebSocket-Version")
        if versions and versions != ["13"]:
            self.response = self.conn.reject(426, "Version 13 of the WebSocket protocol is spoken here.\n")
            self.response.headers["Sec-WebSocket-Version"] = "13"
            self.conn.send_response(self.response)
            self._end_handshake(b"".join(self.conn.data_to_send()))
            return
        super().handle_connect(event)

    def _end_handshake(self, answer: bytes) -> None:
        self.handshake_complete = self.close_sent = True
        self.transport.write(answer)
        self.transport.close()

    # --- Frames -----------------------------------------------------------------------------

    def handle_ping(self) -> None:
        """Answer a ping; while the transport is full, only the newest. RFC 6455 asks for no more (section 5.5.3)."""
        pong = b"".join(self.conn.data_to_send())
        if self._is_flood():
            return
        if self.writable.is_set():
            self.transport.write(pong)
        elif pong:
            self._late_pong = pong

    def handle_pong(self, event: Frame) -> None:
        """Take a pong, unless there are too many."""
        if not self._is_flood():
            super().handle_pong(event)

    def resume_writing(self) -> None:
        """Go on writing, first the pong that is still owed."""
        super().resume_writing()
        if self._late_pong and not self.transport.is_closing():
            self.transport.write(self._late_pong)
        self._late_pong = b""

    def handle_cont(self, event: Frame) -> None:
        """Take the next part of a message."""
        if len(self.frames) >= MOST_PARTS:
            self._fail(CloseCode.TOO_BIG, "too many parts")
        elif not self.close_sent:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Give a whole message to the application."""
        try:
            super().send_receive_event_to_app()
        except InvalidState:
            pass  # the text was not UTF-8, and the client's close came with it: the close counts

    def _is_flood(self) -> bool:
        """Count a control frame; return whether to ignore it: there are too many, or the connection is closing."""
        if self.close_sent:
            return True
        if self._control_frames is None:
            limits = settings.LIMITS
            self._control_frames = Bucket(limits.frames_per_second, limits.frames_burst)
        if self._control_frames.take():
            self._fail(CloseCode.TOO_FAST, "too many control frames")
            return True
        return False

    def _fail(self, code: int, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()
