"""One connection's bytes between httpcore and the socket: deadlines, bounds, and a peer that is leaving.

httpcore's own time-outs are for a single read, so a peer that sends a byte now and then could hold a thread for
ever; here a whole exchange has a deadline and a number of bytes.
"""

import ssl
import struct
import time
from typing import Any

import httpcore

# In one exchange: the answer's 64 KiB, its headers, and what the protocol itself says.
MOST_BYTES = 256 * 1024
READ_AT_ONCE = 64 * 1024
_HEADER = 9
_GOAWAY = 7
# Last stream and error code; debug text follows.
_MOST_GOAWAY = 16 * 1024


class NotProcessed(Exception):
    """The peer said, or it follows, that it did nothing about the request: it may be sent again."""


class Frames:
    """Takes GOAWAY out of the frames of HTTP/2 and remembers what it said.

    After GOAWAY, h2 refuses everything, also the answer to a request that the peer still processes: Apple and nginx
    end connections that way, with answers under way. Those pushes would be sent twice.
    """

    def __init__(self) -> None:
        self.last_stream: int | None = None  # the last one that the peer may process; None: it is not leaving
        self._head = b""  # of a frame whose header is not complete, or of GOAWAY
        self._passing = 0  # bytes left of a frame that goes on as it is

    def without_goaway(self, data: bytes) -> bytes:
        """Return the bytes that go on to h2. Frames may be cut anywhere.

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


class Line(httpcore.NetworkStream):
    """A connected socket, for one exchange at a time."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object")
        self.is_http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        self._frames = Frames()
        self._until = float("inf")
        self._left = MOST_BYTES
        self._streams = 0
        self._pending = b""
        # Whether anything was read in this exchange. Before that, what is written is the request.
        self.has_heard = False

    def begin(self, seconds: float) -> None:
        """Count time and bytes anew, for one exchange."""
        self._until = time.monotonic() + seconds
        self._left = MOST_BYTES
        self._streams += 1
        self.has_heard = False

    @property
    def is_leaving(self) -> bool:
        """Whether the peer takes no further requests here."""
        return self._frames.last_stream is not None

    def is_quiet(self) -> bool:
        """Take in what arrived while nobody waited; return whether another exchange may begin.

        A connection that the peer closed meanwhile would swallow a push, and nobody could say whether it was
        processed. HTTP/2 may have said something harmless; after an answer of HTTP/1.1 there is nothing to say.
        """
        self._until, self._left = time.monotonic() + 1, MOST_BYTES
        try:
            while self._stream.get_extra_info("is_readable"):
                # A moment, since TLS may have had words of its own to say and nothing for us.
                data = self._stream.read(READ_AT_ONCE, 0.001)
                if not data or not self.is_http2:
                    return False
                self._left -= len(data)
                if self._left < 0 or time.monotonic() > self._until:
                    return False
                self._pending += self._frames.without_goaway(data)
        except httpcore.ReadTimeout:
            pass
        except httpcore.NetworkError:
            return False
        return not self.is_leaving

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what arrives before the deadline of the exchange.

        :raises NotProcessed: the peer leaves, or left, and said that it does not process this request.
        """
        self.has_heard = True
        data, self._pending = self._pending, b""
        while not data:
            arrived = self._stream.read(max_bytes, self._seconds_left(httpcore.ReadTimeout("answer")))
            self._left -= len(arrived)
            if self._left < 0:
                raise httpcore.ReadError("more than an answer may have")
            if not arrived or not self.is_http2:
                return arrived
            data = self._frames.without_goaway(arrived)
            last = self._frames.last_stream
            # Streams of a client are odd, and each exchange has the next one.
            if last is not None and 2 * self._streams - 1 > last:
                raise NotProcessed("the peer is leaving")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._seconds_left(httpcore.WriteTimeout("request")))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _seconds_left(self, too_late: Exception) -> float:
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise too_late
        return seconds
