"""What faults work on: the world, the running episode, and the record of what struck.

A fault counts only if it can show that it struck.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic

from tests.campaign.device import Device
from tests.campaign.episode import Episode
from tests.campaign.history import Acked, Closed, Heard, Refused
from tests.campaign.line import STABLE_SECONDS
from tests.campaign.measures import Measures
from tests.campaign.world import Process, World
from tests.waiting import DEADLINE

# Refusals to a sender who was removed from the group meanwhile.
EXPECTED = frozenset({"try_again", "rate_limited", "not_found"})
GRACE = 3.0  # seconds after a fault until everything that it delayed has arrived


@dataclass
class Book:
    """What struck, by kind; attempts that did not strike; other violations; detailed counts."""

    strikes: Counter[str] = field(default_factory=Counter)
    misses: Counter[str] = field(default_factory=Counter)
    details: Counter[str] = field(default_factory=Counter)
    measures: Measures = field(default_factory=Measures)
    wrong: list[str] = field(default_factory=list)

    def struck(self, kind: str, number: int = 1) -> None:
        """Count strikes of a kind."""
        self.strikes[kind] += number

    def missed(self, kind: str) -> None:
        """Count an attempt that struck nothing."""
        self.misses[kind] += 1


class Stage:
    """One episode, as the faults use it."""

    def __init__(self, world: World, episode: Episode, dice: random.Random, book: Book, *, patient: bool) -> None:
        self.world, self.episode, self.crowd = world, episode, episode.crowd
        self.dice, self.book, self.measures = dice, book, book.measures
        self.patient = patient  # run acts that take half a minute or more
        self._calm = 0

    # --- The drizzle of small faults ----------------------------------------------------------

    @property
    def is_calm(self) -> bool:
        """Whether small faults must wait, because they would distort a measurement."""
        return self._calm > 0

    @contextmanager
    def no_small_faults(self) -> Iterator[None]:
        """Let no small fault strike within the block."""
        self._calm += 1
        try:
            yield
        finally:
            self._calm -= 1

    @asynccontextmanager
    async def calm(self) -> AsyncIterator[None]:
        """Let no small fault strike within the block, which begins when all active devices have caught up."""
        with self.no_small_faults():
            await self.all_caught_up(self.active())
            yield

    @asynccontextmanager
    async def disturbed(self) -> AsyncIterator[None]:
        """Record that wake-ups may be lost within the block, so that events arrive by the slower look-back."""
        begun = monotonic()
        try:
            yield
        finally:
            self.episode.disturbed.append((begun, monotonic() + GRACE))

    # --- Devices ----------------------------------------------------------------------------

    def active(self) -> list[Device]:
        """Return the devices that were not signed out."""
        return [device for device in self.crowd.devices if not device.signed_out]

    def devices_at(self, process: Process) -> list[Device]:
        """Return the devices that are connected to a process, and caught up."""
        return [
            device for device in self.active() if device.line.server == process.number and device.caught_up.is_set()
        ]

    async def all_caught_up(self, devices: Iterable[Device], timeout: float = DEADLINE) -> None:
        """Wait until these devices are connected and caught up; those that are late are recorded as wrong."""
        until = monotonic() + timeout
        waiting = list(devices)
        while waiting := [device for device in waiting if not device.signed_out and not device.caught_up.is_set()]:
            if monotonic() > until:
                self.book.wrong.append(f"{len(waiting)} devices were not caught up within {timeout:g} s: {waiting[:5]}")
                return
            await asyncio.sleep(0.02)

    async def recoveries(self, devices: Iterable[Device], since: float, timeout: float = DEADLINE) -> list[float]:
        """Wait until each of these devices, cut off at `since`, has caught up; return the seconds that each took."""
        waiting, times = set(devices), []
        until = monotonic() + timeout
        while waiting:
            now = monotonic()
            for device in [each for each in waiting if each.signed_out or each.caught_up_at > since]:
                waiting.discard(device)
                if not device.signed_out:
                    times.append(device.caught_up_at - since)
            if now > until:
                times += [now - since] * len(waiting)
                break
            await asyncio.sleep(0.02)
        return times

    def bring(self, process: Process, number: int) -> None:
        """Move some devices to a process: their connections end, and they reconnect there.

        Only devices that have been connected for a while: after repeated cuts the wait of a device grows.
        """
        now = monotonic()
        elsewhere = [
            device
            for device in self.active()
            if device.line.server != process.number
            and device.caught_up.is_set()
            and now - device.connected_at > STABLE_SECONDS
        ]
        elsewhere.sort(key=lambda device: device.connected_at)
        for device in elsewhere[:number]:
            device.line.next_server = process.number
            device.drop_connection()
        self.book.details["connections moved to a restarted process"] += len(elsewhere[:number])

    # --- What happened in a span of time --------------------------------------------------------

    def waits(self, begun: float, ended: float, devices: Iterable[Device] | None = None) -> list[float]:
        """Return the seconds from writing to acknowledgement of the messages written in a span."""
        names = None if devices is None else {device.name for device in devices}
        return [
            answered - written
            for device, written, answered, _ in self.crowd.answers
            if begun <= written < ended and (names is None or device in names)
        ]

    def repeated(self, begun: float, ended: float) -> int:
        """Return how many messages written in a span had to be sent more than once."""
        return sum(sends > 1 for _, written, _, sends in self.crowd.answers if begun <= written < ended)

    def closes(self, begun: float, ended: float) -> int:
        """Return how many connections ended in a span."""
        return sum(
            isinstance(entry, Closed) and begun <= entry.at < ended
            for device in self.active()
            for entry in _lately(device, begun)
        )

    def has_closed(self, device: Device, since: float) -> bool:
        """Whether a device's connection ended after a moment."""
        return any(isinstance(entry, Closed) and entry.at >= since for entry in _lately(device, since))

    def refusals(self, begun: float, ended: float) -> Counter[str]:
        """Return the codes with which sends were refused in a span."""
        return Counter(
            entry.code
            for device in self.active()
            for entry in _lately(device, begun)
            if isinstance(entry, Refused) and begun <= entry.at < ended
        )

    def expect_no_failed_send(self, fault: str, begun: float, ended: float) -> None:
        """Record the refusals of sends in a span; those that a client would not just repeat are violations."""
        for code, number in self.refusals(begun, ended).items():
            self.book.details[f"{fault}: sends answered with {code}"] += number
            if code not in EXPECTED:
                self.book.wrong.append(f"{fault}: {number} sends were answered with {code}")

    def delays(self, begun: float, ended: float) -> list[float]:
        """Return the seconds from acknowledgement to arrival of messages at devices that stayed connected."""
        acked = {
            (entry.conversation_id, entry.sequence): entry.at
            for device in self.crowd.devices
            for entry in _lately(device, begun)
            if isinstance(entry, Acked) and begun <= entry.at < ended and not entry.duplicate
        }
        found = []
        for device in self.active():
            entries = _lately(device, begun)
            if any(isinstance(entry, Closed) for entry in entries):
                continue
            for entry in entries:
                if isinstance(entry, Heard) and entry.frame.type == "new_message":
                    at = acked.get((entry.frame.conversation_id, entry.frame.sequence))
                    if at is not None:
                        found.append(max(0.0, entry.at - at))
        return found

    async def first_ack_after(self, moment: float, timeout: float = DEADLINE) -> float:
        """Wait for the first acknowledgement after a moment; return how long it took."""
        until = monotonic() + timeout
        while monotonic() < until:
            times = [answered for _, _, answered, _ in self.crowd.answers[-50:] if answered > moment]
            if times:
                return min(times) - moment
            await asyncio.sleep(0.01)
        return timeout


def _lately(device: Device, since: float) -> list[object]:
    """Return the entries of a device since a moment. Reads from the end, because histories are long."""
    entries = device.history.entries
    position = len(entries)
    while position and getattr(entries[position - 1], "at", 0.0) >= since:
        position -= 1
    return list(entries[position:])
