"""The stream of bytes between httpcore and a socket: it has deadlines and bounds, and notices GOAWAY.

A time-out of httpcore is for a single read, so a peer that sends a byte now and then could hold a thread for ever.
Here a whole exchange has a deadline and a largest number of bytes.
"""

import ssl
import struct
import time
from typing import Any

import httpcore

# In one exchange: 64 KiB of the answer's body, its headers, and frames of the protocol itself.
MOST_BYTES = 256 * 1024
READ_AT_ONCE = 64 * 1024
_HEADER = 9
_GOAWAY = 7
# A frame holds the last stream, an error code, and text for debugging.
_MOST_GOAWAY = 16 * 1024


class NotProcessed(Exception):
    """The peer certainly did not process the request: it may be sent again."""


class GoAwayFilter:
    """Takes GOAWAY out of the frames of HTTP/2 and remembers its last stream.

    After GOAWAY h2 refuses every frame, also the answer to a request that the peer still processes. Apple and nginx end
    connections that way while answers are on their way: without this filter those pushes would be sent twice.
    """

    def __init__(self) -> None:
        self.last_stream: int | None = None  # the last stream that the peer processes; None: no GOAWAY came
        self._head = b""  # the beginning of a frame: of one whose header is incomplete, or of a GOAWAY
        self._passing = 0  # bytes still to come of a frame that is forwarded

    def without_goaway(self, data: bytes) -> bytes:
        """Return the bytes for h2. They may begin and end anywhere in a frame.

        :raises httpcore.ReadError: GOAWAY of an absurd length.
        """
        out = bytearray()
        data = self._head + data
        self._head = b""
        while data:
            if self._passing:
                out += data[: self._passing]
                data, self._passing = data[self._passing :], max(0, self._passing - len(data))
                continue
            if len(data) < _HEADER:
                self._head = data
                break
            length = int.from_bytes(data[:3], "big")
            if data[3] != _GOAWAY:
                self._passing = _HEADER + length
                continue
            if not 8 <= length <= _MOST_GOAWAY:
                raise httpcore.ReadError("GOAWAY of an absurd length")
            if len(data) < _HEADER + length:
                self._head = data
                break
            (last,) = struct.unpack_from("!L", data, _HEADER)
            self.last_stream = last & 0x7FFF_FFFF
            data = data[_HEADER + length :]
        return bytes(out)


class BoundedStream(httpcore.NetworkStream):
    """A connected socket, for one exchange at a time."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object")
        self.is_http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        self._filter = GoAwayFilter()
        self._until = float("inf")
        self._left = MOST_BYTES
        self._streams = 0
        self._pending = b""
        # Whether anything was read in this exchange. Until then only the request is written.
        self.has_heard = False

    def begin(self, seconds: float) -> None:
        """Begin an exchange: set its deadline, and its bytes to none."""
        self._until = time.monotonic() + seconds
        self._left = MOST_BYTES
        self._streams += 1
        self.has_heard = False

    @property
    def is_leaving(self) -> bool:
        """Whether the peer sent GOAWAY: it takes no further requests on this connection."""
        return self._filter.last_stream is not None

    def is_quiet(self) -> bool:
        """Read what arrived while the connection was idle; return whether another exchange may begin.

        On a connection that the peer closed meanwhile, a push would get no answer, and it would not be known whether
        it was processed. HTTP/2 may have sent harmless frames; after an answer of HTTP/1.1 nothing may arrive.
        """
        self._until, self._left = time.monotonic() + 1, MOST_BYTES
        try:
            while self._stream.get_extra_info("is_readable"):
                # With a short time-out: the bytes may be of TLS itself, with no data in them.
                data = self._stream.read(READ_AT_ONCE, 0.001)
                if not data or not self.is_http2:
                    return False
                self._left -= len(data)
                if self._left < 0 or time.monotonic() > self._until:
                    return False
                self._pending += self._filter.without_goaway(data)
        except httpcore.ReadTimeout:
            pass
        except httpcore.NetworkError:
            return False
        return not self.is_leaving

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what arrives before the deadline of the exchange.

        :raises NotProcessed: the peer sent GOAWAY and does not process this request.
        """
        self.has_heard = True
        data, self._pending = self._pending, b""
        while not data:
            arrived = self._stream.read(max_bytes, self._remaining(httpcore.ReadTimeout("answer")))
            self._left -= len(arrived)
            if self._left < 0:
                raise httpcore.ReadError("more than an answer may have")
            if not arrived or not self.is_http2:
                return arrived
            data = self._filter.without_goaway(arrived)
            last = self._filter.last_stream
            # A client's streams have odd numbers, and each exchange has the next one.
            if last is not None and 2 * self._streams - 1 > last:
                raise NotProcessed("the peer is leaving")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._remaining(httpcore.WriteTimeout("request")))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _remaining(self, too_late: Exception) -> float:
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise too_late
        return seconds
