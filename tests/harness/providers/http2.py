"""The HTTP/2 side of a double's connection.

Requests that arrive together are recorded with one write and answered with another, so that a double in Python
takes thousands of requests a second.
"""

import asyncio
import socket
import struct
from typing import Any, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from tests.harness.providers.exchange import Exchange, Request, Response

_CHECKED = 20  # requests of a connection whose headers are checked against the protocol: that is slow
_WINDOW = 2**18  # bytes of bodies that a peer may send on a connection before it must wait


class Http2(asyncio.Protocol):
    """One connection that speaks HTTP/2."""

    def __init__(self, exchange: Exchange, listener: int, *, streams: int | None) -> None:
        self._exchange = exchange
        self._listener = listener
        self._h2 = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._streams = streams or 1000
        self._requests: dict[int, Request] = {}
        self._unread = 0
        self._last_stream = 0
        self._unanswered: set[int] = set()
        self._refused_from: int | None = None
        self._short: list[bytes] = []  # answers that h2 need not know of
        self._after = b""  # to be sent after them
        self._ends = False
        self.session: dict[str, Any] = {}
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet with the settings."""
        self._transport = cast(asyncio.Transport, transport)
        values = {SettingCodes.MAX_CONCURRENT_STREAMS: self._streams, SettingCodes.ENABLE_PUSH: 0}
        self._h2.local_settings = Settings(client=False, initial_values=values)
        self._h2.initiate_connection()
        # h2 would end the connection for a stream too many; we refuse the stream, as RFC 9113 has it.
        self._h2.local_settings = Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: 10_000})
        self._h2.increment_flow_control_window(_WINDOW)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take all that arrived."""
        if self.closed:
            return
        try:
            for event in self._h2.receive_data(data):
                if self.closed or self._ends:
                    break
                self._handle_event(event)
        except ProtocolError as error:
            self._exchange.journal.complain(f"{type(error).__name__}: {error}")
            self._ends = True
        if self._unread > _WINDOW // 2 and not self._ends and not self.closed:
            self._h2.increment_flow_control_window(self._unread)
            self._unread = 0
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        """Remember that the client has left."""
        self.closed = True

    def answer(self, stream: int, response: Response) -> None:
        """Queue an answer."""
        self._unanswered.discard(stream)
        state = self._h2.streams.get(stream)
        if state is None or state.closed:
            return  # the client gave the request up
        if response.body or response.status != 200:
            headers = [(":status", str(response.status)), *response.headers.items()]
            self._h2.send_headers(stream, headers, end_stream=not response.body)
            if response.body:
                self._h2.send_data(stream, response.body, end_stream=True)
        else:
            del self._h2.streams[stream]
            self._short.append(_short_answer(stream, response.headers))
        if (streams := self._exchange.service.accepted(self.session)) is not None and streams != self._streams:
            self._streams = streams
            self._h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: streams})

    def cut(self) -> None:
        """Send what is queued and reset the connection."""
        self.flush()
        if not self.closed:
            self.closed = True
            reset(self._transport)

    def go_away(self, unprocessed: int | None = None) -> None:
        """Say that no request from this stream on (None: that comes later) is processed; answer the earlier, then end.

        The frame is our own: h2 answers nothing after its GOAWAY.
        """
        if self._refused_from is None:
            self._refused_from = unprocessed or self._last_stream + 1
            last = max(self._refused_from - 2, 0) if unprocessed else self._last_stream
            frame = GoAwayFrame(0, last_stream_id=last, error_code=0, additional_data=b'{"reason":"Shutdown"}')
            self._after = frame.serialize()
        if unprocessed is not None:
            self._unanswered.discard(unprocessed)

    def flush(self) -> None:
        """Record what was taken, then send what is queued."""
        self._exchange.journal.flush()
        if self.closed:
            return
        if sent := b"".join((self._h2.data_to_send(), *self._short, self._after)):
            self._transport.write(sent)
            self._after = b""
            self._short.clear()
        if self._ends or (self._refused_from is not None and not self._unanswered):
            self._transport.close()

    def _handle_event(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            stream = event.stream_id
            if self._refused_from is not None and stream >= self._refused_from:
                return
            self._last_stream = stream
            if len(self._requests) + len(self._unanswered) >= self._streams:
                self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
                return
            if stream > 2 * _CHECKED:
                self._h2.config.validate_inbound_headers = False
            headers = {name.decode(): value.decode("utf-8", "replace") for name, value in event.headers}
            method, path = headers.pop(":method"), headers.pop(":path", "")
            headers = {name: value for name, value in headers.items() if not name.startswith(":")}
            self._requests[stream] = Request(method, path, headers, b"", self._listener)
        elif isinstance(event, DataReceived):
            self._unread += event.flow_controlled_length
            if (request := self._requests.get(event.stream_id)) is not None:
                request.body += event.data
                if len(request.body) > self._exchange.service.largest_body:
                    self._finish_request(event.stream_id)
                    if event.stream_id not in self._unanswered and not self.closed:
                        self._h2.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)  # spare us the rest
        elif isinstance(event, StreamEnded):
            self._finish_request(event.stream_id)
        elif isinstance(event, StreamReset):
            self._requests.pop(event.stream_id, None)
            self._unanswered.discard(event.stream_id)
        elif isinstance(event, ConnectionTerminated):
            if event.error_code:
                self._exchange.journal.complain(f"GOAWAY {event.error_code} {event.additional_data!r}")
            self._ends = True

    def _finish_request(self, stream: int) -> None:
        if (request := self._requests.pop(stream, None)) is not None:
            self._unanswered.add(stream)
            self._exchange.take(request, self, stream)


def _short_answer(stream: int, headers: dict[str, str]) -> bytes:
    """Return the frame of a status 200 without a body, which is most of what is sent: h2 takes ten times as long.

    All is literal (RFC 7541, 6.2.2), so that h2's table of headers stays as it is.
    """
    block = [b"\x88"]  # :status 200
    for name, value in headers.items():
        assert len(name) < 127 > len(value)
        block.append(b"\x00%c%b%c%b" % (len(name), name.encode(), len(value), value.encode()))
    text = b"".join(block)
    end_of_headers_and_stream = 0x05
    return struct.pack(">I", len(text) << 8 | 1) + struct.pack(">BI", end_of_headers_and_stream, stream) + text


def reset(transport: asyncio.Transport) -> None:
    """Reset a connection (RST), which the other side cannot take for an end."""
    connection = transport.get_extra_info("socket")
    with socket.socket(fileno=socket.dup(connection.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
