"""How a device stays connected: which process it tries, how long it waits (full jitter), when it gives up."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.campaign.frames import encode
from tests.campaign.wire import Wire
from tests.harness.proxy import Proxy

if TYPE_CHECKING:
    from tests.campaign.device import Device

CONNECT_TIMEOUT = 10.0
STABLE_SECONDS = 10.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
LOOK = 0.25  # seconds between two looks at the clock


class Line:
    """The connections of one device, one after the other."""

    def __init__(self, device: Device, ways: list[Proxy], dice: random.Random) -> None:
        self.ways = ways
        self.wire: Wire | None = None
        self.number = 0  # of the newest connection
        self.server = -1  # the process it leads, or led, to
        self.next_server: int | None = None  # where to connect to next; None leaves it to the dice
        self.retry_after: float | None = None  # when to connect next; None leaves it to the dice
        self.failures = 0  # one after the other; each makes the wait for the next attempt longer
        self.heartbeat = 30.0
        self.heard_at = 0.0
        self.life: asyncio.Task[None] | None = None
        self._device, self._dice = device, dice
        self._pinged_at = 0.0
        self._ended = asyncio.Event()
        self._network_is_back = asyncio.Event()
        self._attempt: asyncio.Timeout | None = None  # to connect

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self.wire is not None and self.wire.is_open

    @property
    def longest_wait(self) -> float:
        """The longest wait before the next attempt, in seconds (docs/protocol.md)."""
        return min(LONGEST_WAIT, FIRST_WAIT * 2.0**self.failures)

    def begin(self) -> None:
        """Connect, and stay connected until `life` is cancelled or the device was signed out."""
        self.life = asyncio.create_task(self._stay_connected())

    async def _stay_connected(self) -> None:
        while not self._device.signed_out:
            begun = monotonic()
            self._network_is_back.clear()
            try:
                await self._connect()
                self._network_is_back.clear()
                await self._ended.wait()
            except (OSError, TimeoutError):
                pass
            if self.retry_after is not None:
                wait = self.retry_after + self._dice.uniform(0, FIRST_WAIT)
                self.retry_after, self.failures = None, 0
            else:
                held_well = self._device.caught_up_at > begun and monotonic() - begun > STABLE_SECONDS
                self.failures = 0 if held_well else self.failures
                wait = self._dice.uniform(0, self.longest_wait)
                self.failures += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._network_is_back.wait(), wait)

    async def _connect(self) -> None:
        """Try the processes one after the other, as a client tries the addresses of a name.

        :raises OSError: none accepts the connection.
        :raises TimeoutError: one of them does not answer.
        """
        servers = self._dice.sample(range(len(self.ways)), len(self.ways))
        if self.next_server is not None:
            servers.insert(0, self.next_server)
            self.next_server = None
        while True:
            self.server = servers.pop(0)
            try:
                await self._connect_to(self.ways[self.server].port)
            except TimeoutError:
                raise
            except OSError:
                if not servers:
                    raise
            else:
                return

    async def _connect_to(self, port: int) -> None:
        self.number += 1
        self._ended.clear()
        self.wire = wire = Wire(self._device, self.number, port)
        self.heard_at = self._pinged_at = monotonic()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT) as self._attempt:
                await asyncio.get_running_loop().create_connection(lambda: wire, "127.0.0.1", port)
                await wire.opened
        except BaseException:
            wire.close()
            raise
        finally:
            self._attempt = None

    def network_is_back(self) -> None:
        """Connect at once instead of waiting, as when the operating system reports that the network is back."""
        self._network_is_back.set()
        if self._attempt is not None:
            self._attempt.reschedule(0.0)  # its packets were lost

    def close(self) -> None:
        """Cut the connection, if there is one, without a close frame."""
        if self.wire is not None:
            self.wire.close()

    def ended(self) -> None:
        """Record that the newest connection ended, and make another one."""
        self._ended.set()

    def say(self, command: dict[str, Any]) -> None:
        """Send a command; without a connection it is lost."""
        if self.wire is not None and self.wire.is_open:
            self.wire.send_text(encode(command))

    def is_silent(self, now: float) -> bool:
        """Whether nothing was received for so long that the connection counts as dead."""
        return now - self.heard_at > 2 * self.heartbeat - 2 * LOOK

    def ping_when_due(self, now: float) -> None:
        """Send a `ping` once in a heartbeat."""
        if now - self._pinged_at > self.heartbeat:
            self._pinged_at = now
            self.say({"type": "ping"})
