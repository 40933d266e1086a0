"""Makes connections: resolves names in bounded time, and dials only permitted addresses.

Not here: what goes over a connection (stream.py, transport.py), and which addresses are public (addresses.py).
"""

import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable

import httpcore

from notifications.providers.addresses import UnsafeAddress, is_public

# Returns the IP addresses of a host, in the order in which to try them. May block; raises OSError.
Resolve = Callable[[str, int], list[str]]
# A lookup that hangs leaves a thread behind until the system's resolver gives up. At most so many run at once.
MOST_LOOKUPS = 64


def system_addresses(host: str, port: int) -> list[str]:
    """Return the addresses that the system's resolver knows, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Network(httpcore.NetworkBackend):
    """Dials services that the operator named; any address is permitted."""

    def __init__(self, *, resolve: Resolve = system_addresses) -> None:
        self._resolve = resolve
        self._lookups = threading.BoundedSemaphore(MOST_LOOKUPS)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect within `timeout` seconds, the lookup included, to the first address that answers.

        :raises UnsafeAddress: the name has an address that may not be dialled.
        :raises httpcore.ConnectError: no address accepts; httpcore.ConnectTimeout: none in time.
        """
        until = time.monotonic() + (timeout or 60)
        addresses = self.permitted(host, port, self._addresses(host, port, until))
        failure: Exception = httpcore.ConnectError("no address")
        for tried, address in enumerate(addresses):
            # An address that never answers leaves time for the others.
            seconds = (until - time.monotonic()) / (len(addresses) - tried)
            if seconds <= 0:
                raise httpcore.ConnectTimeout("connecting")
            try:
                # A literal address is not looked up again: the one that was checked is the one that is dialled.
                return httpcore.SyncBackend().connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def permitted(self, host: str, port: int, addresses: list[str]) -> list[str]:
        """Return the addresses that may be dialled for this host: all of them."""
        return addresses

    def _addresses(self, host: str, port: int, until: float) -> list[str]:
        """Look a host up, in a thread of its own: the system's resolver has no time-out."""
        if not self._lookups.acquire(timeout=max(0, until - time.monotonic())):
            raise httpcore.ConnectTimeout("too many lookups hang")
        answer: list[list[str] | Exception] = []
        done = threading.Event()

        def look_up() -> None:
            try:
                answer.append(self._resolve(host, port))
            except (OSError, UnicodeError) as error:
                answer.append(error)
            finally:
                self._lookups.release()
                done.set()

        try:
            threading.Thread(target=look_up, name="push-lookup", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            self._lookups.release()
            raise httpcore.ConnectError(error) from error
        if not done.wait(max(0, until - time.monotonic())):
            raise httpcore.ConnectTimeout("looking up the name")
        found = answer[0] if answer else OSError("the lookup broke")
        if isinstance(found, Exception):
            raise httpcore.ConnectError(found) from found
        return found


class PublicNetwork(Network):
    """Dials hosts that clients named, never one with an address in a private network.

    Every address must be public, not only the one that is dialled: a name that mixes both was made to get around the
    check. `allowed` are "host:port" that pass without the check.
    """

    def __init__(self, *, allowed: Collection[str] = (), resolve: Resolve = system_addresses) -> None:
        super().__init__(resolve=resolve)
        self.allowed = frozenset(allowed)

    def permitted(self, host: str, port: int, addresses: list[str]) -> list[str]:
        host_and_port = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if host_and_port not in self.allowed and not all(map(is_public, addresses)):
            raise UnsafeAddress("a name with a private address")
        return addresses
