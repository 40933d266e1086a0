"""The HTTP/1.1 side of a double's connection: one request after the other."""

import asyncio
from http import HTTPStatus
from typing import Any, cast

import h11

from tests.harness.providers.exchange import Exchange, Request, Response
from tests.harness.providers.http2 import reset


class Http1(asyncio.Protocol):
    """One connection that speaks HTTP/1.1."""

    def __init__(self, exchange: Exchange, listener: int) -> None:
        self._exchange = exchange
        self._listener = listener
        self._h11 = h11.Connection(h11.SERVER)
        self._request: Request | None = None
        self._sent: list[bytes] = []
        self._ends = False
        self.session: dict[str, Any] = {}
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        if self.closed:
            return
        self._h11.receive_data(data)
        self._handle_events()
        self.flush()

    def eof_received(self) -> None:
        """Close as well."""

    def connection_lost(self, error: Exception | None) -> None:
        """Remember that the client has left."""
        self.closed = True

    def answer(self, stream: int, response: Response) -> None:
        """Queue an answer, and take the next request."""
        if self._h11.our_state is not h11.SEND_RESPONSE and self._h11.our_state is not h11.IDLE:
            return
        headers = [*response.headers.items(), ("content-length", str(len(response.body)))]
        reason = HTTPStatus(response.status).phrase.encode()
        self._send(h11.Response(status_code=response.status, headers=headers, reason=reason))
        if response.body:
            self._send(h11.Data(data=response.body))
        self._send(h11.EndOfMessage())
        if any(state is not h11.DONE for state in self._h11.states.values()):
            self._ends = True
        else:
            self._h11.start_next_cycle()
            asyncio.get_running_loop().call_soon(self._handle_queued)  # what was sent before the answer

    def cut(self) -> None:
        """Send what is queued and reset the connection."""
        self.flush()
        if not self.closed:
            self.closed = True
            reset(self._transport)

    def go_away(self, unprocessed: int | None = None) -> None:
        """End the connection without an answer: HTTP/1.1 has no GOAWAY."""
        self._ends = True

    def flush(self) -> None:
        """Record what was taken, then send what is queued."""
        self._exchange.journal.flush()
        if self.closed:
            return
        if self._sent:
            self._transport.write(b"".join(self._sent))
            self._sent.clear()
        if self._ends:
            self._transport.close()

    def _handle_queued(self) -> None:
        if not self.closed and not self._ends:
            self._handle_events()
            self.flush()

    def _handle_events(self) -> None:
        try:
            while not self.closed and not self._ends:
                event = self._h11.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return
                self._handle_event(event)
        except h11.RemoteProtocolError as error:
            self._exchange.journal.complain(f"{type(error).__name__}: {error}")
            self._ends = True

    def _handle_event(self, event: object) -> None:
        if isinstance(event, h11.Request):
            headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            self._request = Request(event.method.decode(), event.target.decode(), headers, b"", self._listener)
        elif isinstance(event, h11.Data) and self._request is not None:
            self._request.body += bytes(event.data)
            if len(self._request.body) > self._exchange.service.largest_body:
                self._finish_request()
        elif isinstance(event, h11.EndOfMessage):
            self._finish_request()
        elif isinstance(event, h11.ConnectionClosed):
            self._ends = True

    def _finish_request(self) -> None:
        if (request := self._request) is not None:
            self._request = None
            self._exchange.take(request, self, 0)

    def _send(self, event: h11.Event) -> None:
        self._sent.append(self._h11.send(event) or b"")
