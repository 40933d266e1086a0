"""HTTP for all senders: pooled connections, one POST at a time on each, and one error for every failure.

It uses the connections of httpcore 1.0.9 for HTTP/2 and HTTP/1.1, but not its pool, which shares an HTTP/2 connection
between threads. That is not safe: it asks h2 for the next stream and opens it in two steps, so that two threads can
get the same one; it compresses headers in one order and may write them in another; and a stream that times out fails
all others on the connection. Our threads wait for their answers anyway, so a connection for each costs nothing. One
exchange at a time also keeps to the single stream that Apple allows at first. A connection on which anything failed
is closed. Why not httpx: docs/decisions/0021.
"""

import logging
import os
import ssl
import threading
import time

import h2.exceptions
import httpcore
import hyperframe.exceptions

from notifications.providers.addresses import Url
from notifications.providers.connection import ProviderConnection, Reply, TransportLimits
from notifications.providers.network import Network
from notifications.providers.stream import NotProcessed

# At DEBUG they log headers: our tokens, and in the path the token of a device.
for _library in ("hpack", "httpcore"):
    logging.getLogger(_library).setLevel(logging.INFO)

# What the libraries raise for invalid bytes from the peer.
_NONSENSE = (
    httpcore.ProtocolError,
    h2.exceptions.H2Error,
    hyperframe.exceptions.HyperframeError,
    ValueError,
    LookupError,
    AssertionError,
)


class Unreachable(Exception):
    """There is no answer; the request may have been processed or not. `was_never_sent`: it never left this process."""

    def __init__(self, reason: str, *, was_never_sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.was_never_sent = was_never_sent


class Transport:
    """Posts over kept connections. Any number of threads may call it.

    A forked process makes connections of its own, if no other thread was using the transport at the fork.
    """

    def __init__(
        self,
        *,
        network: Network | None = None,
        tls: ssl.SSLContext | None = None,
        limits: TransportLimits | None = None,
    ) -> None:
        self._network = network or Network()
        self._tls = tls or ssl.create_default_context()
        self._tls.set_alpn_protocols(["h2", "http/1.1"])
        self._limits = limits or TransportLimits()
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._open = 0  # in use and idle; under `_changed`
        self._idle: list[ProviderConnection] = []  # the last used one at the end; under `_changed`

    def post(self, url: Url, headers: dict[str, str], body: bytes) -> Reply:
        """Send one request and return the answer; redirects are not followed.

        If the first attempt was certainly not processed, there is a second one on a fresh connection.

        :raises Unreachable: there is no answer.
        :raises UnsafeAddress: the name has an address that may not be dialled.
        """
        if self._process != os.getpid():
            self._start_anew()
        try:
            return self._attempt(url, headers, body, fresh=False)
        except NotProcessed:
            pass
        try:
            return self._attempt(url, headers, body, fresh=True)
        except NotProcessed as error:
            raise Unreachable("refused") from error

    def close(self) -> None:
        """Close the idle connections."""
        with self._changed:
            idle, self._idle = self._idle, []
            self._open -= len(idle)
            self._changed.notify_all()
        for connection in idle:
            connection.close()

    def _attempt(self, url: Url, headers: dict[str, str], body: bytes, *, fresh: bool) -> Reply:
        connection: ProviderConnection | None = None
        kept = False
        self_made = False
        try:
            connection = self._kept(url, fresh=fresh)
            if connection is None:
                self_made = True
                connection = ProviderConnection(url, self._network, self._tls, self._limits)
            reply = connection.post(url, headers, body)
            kept = connection.may_be_kept
            return reply
        except httpcore.ConnectTimeout as error:
            raise Unreachable("no connection in time") from error
        except httpcore.TimeoutException as error:
            raise Unreachable("no answer in time") from error
        except httpcore.ConnectError as error:
            raise Unreachable(_why(error)) from error
        except (httpcore.NetworkError, OSError) as error:
            raise Unreachable("reset") from error
        except _NONSENSE as error:
            raise Unreachable("broken off, or an invalid answer") from error
        finally:
            if connection is not None or self_made:
                self._give_back(connection, kept=kept)

    def _kept(self, url: Url, *, fresh: bool) -> ProviderConnection | None:
        """Return a kept connection to the origin, or None when one may be made; either counts as open.

        :raises Unreachable: all connections are in use, and none became free in time.
        """
        until = time.monotonic() + self._limits.wait
        while True:
            with self._changed:
                while True:
                    found, surplus = self._take(url.origin, fresh=fresh)
                    if found is not None or surplus is not None or self._open < self._limits.connections:
                        break
                    if not self._changed.wait(max(0.0, until - time.monotonic())) and time.monotonic() >= until:
                        raise Unreachable("no free connection", was_never_sent=True)
                if found is None and surplus is None:
                    self._open += 1
                    return None
            if surplus is not None:
                surplus.close()
                return None  # its slot is ours
            assert found is not None
            if found.may_be_used():
                return found
            self._give_back(found, kept=False)

    def _take(self, origin: str, *, fresh: bool) -> tuple[ProviderConnection | None, ProviderConnection | None]:
        """Return the last used idle connection to this origin; or else an idle one to close, if its slot is needed."""
        if not fresh:
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index].origin == origin:
                    return self._idle.pop(index), None
        if self._open >= self._limits.connections and self._idle:
            return None, self._idle.pop(0)
        return None, None

    def _give_back(self, connection: ProviderConnection | None, *, kept: bool) -> None:
        """Keep a connection as idle, or close it and free its slot; close the idle ones whose time ran out."""
        with self._changed:
            gone = [idle for idle in self._idle if not idle.may_be_kept]
            self._idle = [idle for idle in self._idle if idle.may_be_kept]
            if connection is not None and kept:
                self._idle.append(connection)
            else:
                self._open -= 1
            self._open -= len(gone)
            self._changed.notify(1 + len(gone))
        for idle in gone:
            idle.close()
        if connection is not None and not kept:
            connection.close()

    def _start_anew(self) -> None:
        """Drop the connections of the process from which this one was forked."""
        with self._changed:
            if self._process == os.getpid():
                return
            inherited, self._idle, self._open, self._process = self._idle, [], 0, os.getpid()
        for connection in inherited:
            connection.close()  # only this process's descriptor; it sends no close of TLS


def _why(error: httpcore.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "certificate not accepted"
        cause = cause.__cause__
    return "no connection"
