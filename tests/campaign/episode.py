"""One episode: new people sign up, write while faults strike, and settle; the checker judges what was recorded.

Episodes keep the evidence small: one is judged before the next begins. The database, the
processes and their caches live on.
"""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from tests.campaign.actions import Actions
from tests.campaign.checker import Verdict, check
from tests.campaign.contents import Observer, read_contents
from tests.campaign.crowd import Crowd
from tests.campaign.evidence import Evidence
from tests.campaign.history import Acked, Heard, Sent
from tests.campaign.world import World


@dataclass(frozen=True)
class Size:
    """The size of an episode."""

    people: int = 48
    directs: int = 60
    groups: int = 24
    pause: float = 0.35  # seconds between an answer and the next message of a writer, on average
    pace: float = 1.0  # factor on everything besides writing


@dataclass
class Outcome:
    """The result of an episode."""

    verdicts: list[Verdict]
    acknowledged: int
    heard: int
    seconds: float
    deleted_texts: list[str]
    # (token, text, ack): to be asked for again at the end.
    sample: list[tuple[str, str, Acked]] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    replaced: int = 0  # connections that a delayed attempt of the same device replaced


class Episode:
    """Use it as `async with Episode(...) as episode:`; strike within; then `await episode.judged()`."""

    def __init__(self, world: World, seed: int, name: str, size: Size) -> None:
        dice = random.Random(seed)
        self.world, self.size = world, size
        self.crowd = Crowd(world, random.Random(dice.getrandbits(64)), name, pause=size.pause)
        self._dice = dice
        self.observer = Observer(world.services.postgresql, world.database, random.Random(dice.getrandbits(64)))
        self.disturbed: list[tuple[float, float]] = []  # when the doorbell did not work
        self._observing: asyncio.Task[None] | None = None
        self._begun = monotonic()

    async def __aenter__(self) -> Episode:
        size = self.size
        await self.crowd.gather(size.people, size.directs, size.groups)
        self.actions = Actions(self.crowd, random.Random(self._dice.getrandbits(64)), pace=size.pace)
        self._observing = asyncio.create_task(self.observer.observe([group.id for group in self.crowd.groups]))
        self._begun = monotonic()
        await self.crowd.begin()
        self.actions.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._observing is not None:
            self._observing.cancel()
            with suppress(asyncio.CancelledError):
                await self._observing
            await self.actions.break_off()
        await self.crowd.leave()

    async def judged(self) -> Outcome:
        """End all faults, let all devices catch up, and run the checker."""
        await self.world.is_ready()
        await self.actions.end()
        seconds = monotonic() - self._begun
        unsettled = await self.crowd.settle()
        evidence = await asyncio.to_thread(self._evidence)
        gc.collect()
        verdicts = await asyncio.to_thread(lambda: check(evidence))
        return Outcome(
            verdicts=verdicts,
            acknowledged=sum(
                len({entry.client_message_id for entry in device.history.entries if isinstance(entry, Acked)})
                for device in self.crowd.devices
            ),
            heard=len(entries_of(self.crowd, Heard)),
            seconds=seconds,
            deleted_texts=self.actions.deleted_texts,
            sample=self._sample(20),
            unsettled=unsettled,
            replaced=sum(device.replaced for device in self.crowd.devices),
            unexpected=[each for device in self.crowd.devices for each in device.unexpected],
        )

    def _sample(self, number: int) -> list[tuple[str, str, Acked]]:
        """Return some acknowledged messages with their texts, of devices that are still signed in."""
        found = []
        for device in self._dice.choices([each for each in self.crowd.devices if not each.signed_out], k=number):
            entries = device.history.entries
            acks = [entry for entry in entries if isinstance(entry, Acked)]
            if acks:
                ack = self._dice.choice(acks)
                [text, *_] = [
                    entry.text
                    for entry in entries
                    if isinstance(entry, Sent) and entry.client_message_id == ack.client_message_id
                ]
                found.append((device.token, text, ack))
        return found

    def _evidence(self) -> Evidence:
        groups = self.crowd.groups
        return Evidence(
            founders={group.id: {person.id for person in group.founders} for group in groups},
            histories=[device.history for device in self.crowd.devices],
            contents=read_contents(self.world.services.postgresql, self.world.database, [group.id for group in groups]),
            changes=self.actions.changes,
            memberships=self.actions.memberships,
            peeks=self.actions.peeks,
            revocations=self.actions.revocations(),
            snapshots=self.observer.snapshots,
        )


def entries_of(crowd: Crowd, kind: type[Any]) -> list[Any]:
    """Return all entries of a kind in the histories of a crowd."""
    return [entry for device in crowd.devices for entry in device.history.entries if isinstance(entry, kind)]
