"""A plain HTTP/2 client of the tests' own, one connection without threads, which shows what the server does."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

from tests.waiting import DEADLINE


@dataclass
class Answer:
    """What a server answered on one stream."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: bool = False  # the server gave the stream up

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Ended(Exception):
    """The server closed the connection cleanly, without the answer."""


class Http2Client:
    """One connection to 127.0.0.1; frames are read only while waiting for an answer."""

    def __init__(self, port: int, ca_file: Path, *, timeout: float = DEADLINE) -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        assert self._socket.selected_alpn_protocol() == "h2"
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._flush()
        self._answers: dict[int, Answer] = {}
        self.goaway: tuple[int | None, bytes | None] | None = None  # the last stream that was processed, and why

    def set_timeout(self, seconds: float) -> None:
        """Change how long an answer is waited for."""
        self._socket.settimeout(seconds)

    @property
    def allowed_streams(self) -> int:
        """How many streams the server allows at once, by its newest settings."""
        return self._h2.remote_settings.max_concurrent_streams

    def send(self, path: str, headers: dict[str, str], body: bytes = b"", *, method: str = "POST") -> int:
        """Send a request and return its stream."""
        stream = self._h2.get_next_available_stream_id()
        self._answers[stream] = Answer()
        all_headers = {":method": method, ":scheme": "https", ":authority": "127.0.0.1", ":path": path} | headers
        self._h2.send_headers(stream, list(all_headers.items()), end_stream=not body)
        while body and not self._answers[stream].ended:
            if allowed := min(self._h2.local_flow_control_window(stream), 16_384):
                part, body = body[:allowed], body[allowed:]
                self._h2.send_data(stream, part, end_stream=not body)
                self._flush()
            else:
                self.receive()
        self._flush()
        return stream

    def answer(self, stream: int) -> Answer:
        """Wait for the answer on a stream.

        :raises Ended: the connection was closed instead. `ConnectionResetError`: it was reset.
        """
        while not (answer := self._answers[stream]).ended:
            self.receive()
        return answer

    def ask(self, path: str, headers: dict[str, str], body: bytes = b"", *, method: str = "POST") -> Answer:
        """Send a request and wait for its answer."""
        return self.answer(self.send(path, headers, body, method=method))

    def receive(self) -> None:
        """Read once."""
        with _resets_by_name():
            data = self._socket.recv(65_536)
        if not data:
            raise Ended
        for event in self._h2.receive_data(data):
            self._handle_event(event)
        self._flush()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _handle_event(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            headers = {str(name): str(value) for name, value in event.headers}
            self._answers[event.stream_id].status = int(headers.pop(":status"))
            self._answers[event.stream_id].headers = headers
        elif isinstance(event, DataReceived):
            self._answers[event.stream_id].body += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self._answers[event.stream_id].ended = True
        elif isinstance(event, StreamReset):
            answer = self._answers[event.stream_id]
            answer.reset = not answer.ended  # else it only spares us the rest of the body
            answer.ended = True
        elif isinstance(event, ConnectionTerminated):
            self.goaway = (event.last_stream_id, event.additional_data)
            # h2 takes no answer after a GOAWAY, although those to earlier requests may still come.
            self._h2.state_machine.state = ConnectionState.CLIENT_OPEN

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            with _resets_by_name():
                self._socket.sendall(data)


@contextmanager
def _resets_by_name() -> Iterator[None]:
    try:
        yield
    except ssl.SSLEOFError as error:  # raised by OpenSSL when a connection ends without close_notify
        raise ConnectionResetError from error
