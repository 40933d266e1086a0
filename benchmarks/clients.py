"""Clients of a server under test, as workloads use them, and crowds of them.

Lives here: the common part of every server's client. Does not live here: its protocol (`chatsite_client` for our own
server), the measurements (`workloads`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.subject import Subject

TEXT = "Hello, this is a message of an ordinary length: see you at eight?"
TIMEOUT = 30.0  # seconds of waiting after which the run is invalid
CONNECTING_AT_ONCE = 50
clock = time.perf_counter


class Invalid(Exception):
    """The server lost, doubled, reordered or refused something: the run does not count."""


class Client:
    """One signed-in connection of one person in one conversation. Subclasses speak a server's protocol.

    `on_message(client, message_id, now)` is called for every message, after the subclass checked that it follows the
    one before; `on_ack(client, message_id, now)` when a sender's message is acknowledged. Faults are added to
    `faults`. `hears_itself`: a sender receives its own messages.
    """

    hears_itself = True

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        self.messages = 0
        self.bytes_received = 0
        self.leaving = False
        self.on_message: Callable[[Client, str, float], None] | None = None
        self.on_ack: Callable[[Client, str, float], None] | None = None

    def send_message(self, message_id: str) -> None:
        """Send `TEXT` under this identifier."""
        raise NotImplementedError

    def close(self) -> None:
        """Drop the connection."""
        raise NotImplementedError

    def leave(self) -> None:
        """Drop the connection on purpose."""
        self.leaving = True
        self.close()

    def take_message(self, message_id: str, now: float) -> None:
        """Count a message and call `on_message`."""
        self.messages += 1
        if self.on_message is not None:
            self.on_message(self, message_id, now)

    def take_ack(self, message_id: str, now: float) -> None:
        """Call `on_ack` for an acknowledged message."""
        if self.on_ack is not None:
            self.on_ack(self, message_id, now)


class Crowd:
    """The connections of one workload, and the faults found on them."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.faults: list[str] = []
        self.clients: list[Client] = []

    async def connect(self, places: Sequence[Any]) -> list[Client]:
        """Connect one client per place, some at a time, and wait until all are signed in.

        :raises Invalid: one was not signed in in time.
        """
        turns = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def one(place: Any) -> Client:
            async with turns:
                try:
                    return await asyncio.wait_for(self._subject.connect(place, self.faults), TIMEOUT)
                except TimeoutError as error:
                    raise Invalid(f"a connection was not signed in after {TIMEOUT:.0f} s") from error

        arrived = await asyncio.gather(*map(one, places))
        self.clients += arrived
        return arrived

    async def settle(self, seconds: float = 0.3) -> None:
        """Wait until no connection has received anything for that long."""
        heard = -1
        while heard != (heard := sum(client.bytes_received for client in self.clients)):
            await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition.

        :raises Invalid: it did not come true in time, or a fault was found.
        """
        end = clock() + TIMEOUT
        while not condition():
            if self.faults or clock() > end:
                raise Invalid("; ".join(self.faults[:3]) or f"waited in vain for {what}")
            await asyncio.sleep(0.01)

    async def check(self, expected: int, clients: Iterable[Client]) -> None:
        """Check that each of these clients received exactly `expected` messages and no fault was found.

        :raises Invalid: otherwise.
        """
        await self.settle()
        for client in clients:
            if client.messages != expected:
                self.faults.append(f"{expected} messages were sent, a client heard {client.messages}")
        self.assert_faultless()

    def assert_faultless(self) -> None:
        """Check that no fault was found.

        :raises Invalid: one was.
        """
        if self.faults:
            raise Invalid(f"{len(self.faults)} faults: " + "; ".join(self.faults[:3]))

    async def leave(self) -> None:
        """Drop all connections."""
        for client in self.clients:
            client.leave()
        self.clients = []
        await asyncio.sleep(0.1)


async def within_timeout(waited_for: Awaitable[None], crowd: Crowd) -> None:
    """Wait for an awaitable.

    :raises Invalid: it was not done in time.
    """
    try:
        async with asyncio.timeout(TIMEOUT):
            await waited_for
    except TimeoutError as error:
        crowd.assert_faultless()
        raise Invalid("an answer never came") from error


def message_ids() -> Callable[[], str]:
    """Return a function that makes UUIDs, unique over all runs, by formatting a number."""
    prefix = f"{time.time_ns() >> 16:012x}"
    numbers = itertools.count()
    head = f"{prefix[:8]}-{prefix[8:12]}-4000-8000"
    return lambda: f"{head}-{next(numbers):012x}"


new_message_id = message_ids()
