"""One connection to one origin: a request, its answer, and whether another request may follow."""

import json
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import h2.errors
import h2.events
import httpcore

from notifications.providers.addresses import Url
from notifications.providers.network import Network
from notifications.providers.stream import BoundedStream, NotProcessed

MOST_BODY = 64 * 1024
# Longer than any real service asks for. A client names the push service, so the answer may contain any value.
MOST_RETRY_AFTER = 86_400.0


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """The time-outs of one transport, in seconds, and its number of connections."""

    connect: float = 5.0  # the lookup, the connection and TLS
    answer: float = 10.0  # from the first byte of the request to the last of the answer
    wait: float = 10.0  # for one of `connections` to become free
    # Below the 350 s after which common gateways drop a silent connection without closing it.
    keepalive: float = 240.0
    connections: int = 64


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: header names in lower case, the body up to `MOST_BODY` bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is not one."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def retry_after(self) -> float | None:
        """The seconds that Retry-After asks for, in seconds or as a date; None if it is missing or invalid."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:10]), MOST_RETRY_AFTER)
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(0.0, seconds), MOST_RETRY_AFTER)


class ProviderConnection:
    """One connection to an origin, for one exchange at a time."""

    def __init__(self, url: Url, network: Network, tls: ssl.SSLContext, limits: TransportLimits) -> None:
        until = time.monotonic() + limits.connect
        stream = network.connect_tcp(url.host, url.port, limits.connect)
        if url.scheme == "https":
            left = until - time.monotonic()
            if left <= 0:
                stream.close()
                raise httpcore.ConnectTimeout("TLS")
            stream = stream.start_tls(tls, url.host, left)
        self._stream = BoundedStream(stream)
        self.origin = url.origin
        self._limits = limits
        self._until = 0.0
        origin = httpcore.Origin(url.scheme.encode(), url.host.encode(), url.port)
        kind = httpcore.HTTP2Connection if self._stream.is_http2 else httpcore.HTTP11Connection
        self._http: httpcore.ConnectionInterface = kind(origin, self._stream)

    def post(self, url: Url, headers: dict[str, str], body: bytes) -> Reply:
        """Send one request and read its answer; afterwards `may_be_kept` says whether to use the connection again.

        :raises NotProcessed: it may be sent again on another connection.
        """
        self._until = 0.0
        self._stream.begin(self._limits.answer)
        request = httpcore.Request(
            "POST",
            httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
            headers=[
                ("host", url.authority if url.has_default_port else url.host_and_port),
                ("content-length", str(len(body))),
                *headers.items(),
            ],
            content=body,
        )
        try:
            response = self._http.handle_request(request)
            read, is_whole = self._body(response)
        except httpcore.WriteError as error:
            if self._stream.has_heard:
                raise  # the write was an acknowledgement of the answer, after the whole request
            # The end of the request was not handed to the system: the peer does not have all of it.
            raise NotProcessed("the peer closed while the request was written") from error
        except httpcore.ConnectionNotAvailable as error:
            # All stream numbers are used up.
            raise NotProcessed("no further request fits on this connection") from error
        except httpcore.RemoteProtocolError as error:
            if _is_refused_stream(error):
                raise NotProcessed("the peer refused the stream") from error
            raise
        if is_whole and self._http.is_idle() and self._http.is_available() and not self._stream.is_leaving:
            self._until = time.monotonic() + self._limits.keepalive
        return Reply(
            response.status, {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers}, read
        )

    @staticmethod
    def _body(response: httpcore.Response) -> tuple[bytes, bool]:
        """Return the body up to `MOST_BODY` bytes, and whether that is all of it."""
        read = bytearray()
        try:
            for chunk in response.iter_stream():
                read += chunk
                if len(read) > MOST_BODY:
                    return bytes(read[:MOST_BODY]), False
        finally:
            response.close()
        return bytes(read), True

    @property
    def may_be_kept(self) -> bool:
        """Whether another exchange may follow now."""
        return time.monotonic() < self._until

    def may_be_used(self) -> bool:
        """Whether a kept connection can still be used."""
        return self.may_be_kept and self._stream.is_quiet()

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()


def _is_refused_stream(error: httpcore.RemoteProtocolError) -> bool:
    event = error.args[0] if error.args else None
    return isinstance(event, h2.events.StreamReset) and event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
