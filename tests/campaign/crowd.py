"""The people of an episode: they sign up, found conversations, and write.

Who writes what when comes from the dice. One clock for all devices says when the next message is due; after an
answer its conversation's next message is due after a random pause.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import UUID

from tests.campaign.device import Device
from tests.campaign.history import Held
from tests.campaign.line import LOOK
from tests.campaign.outbox import Outgoing
from tests.campaign.rest import Rest
from tests.campaign.world import World
from tests.waiting import DEADLINE

PASSWORD = "correct horse battery staple"
TICK = 0.005
BY_REST = 0.02  # of all messages
WORDS = "Hello, this is a message of an ordinary length: see you at eight? Жду. 東京で。 👋 Then let us go."


@dataclass
class Person:
    """An account with its devices; the second is at home in another network than the first."""

    name: str
    id: str
    token: str
    devices: list[Device] = field(default_factory=list)


@dataclass
class Group:
    """A conversation and its founders; the first is the owner."""

    id: str
    founders: list[Person]
    is_direct: bool


class Crowd:
    """People, devices, conversations, and the pace at which they write."""

    def __init__(self, world: World, dice: random.Random, name: str, *, pause: float) -> None:
        self.world, self.dice, self.name = world, dice, name
        self.pause = pause  # seconds between an answer and the next message, on average
        self.people: list[Person] = []
        self.devices: list[Device] = []
        self.groups: list[Group] = []
        self.acknowledged = 0
        # Device, when the message was written, when it was answered, how often it was sent.
        self.answers: list[tuple[str, float, float, int]] = []
        self.writing = False
        self.share_by_rest = BY_REST
        self.rest = Rest()
        self._due: list[tuple[float, int, Device, str]] = []
        self._numbers = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- Coming together --------------------------------------------------------------------

    async def gather(self, people: int, directs: int, groups: int, *, second_devices: float = 0.25) -> None:
        """Sign people up and let them found conversations; some have two devices."""
        self.people = list(await asyncio.gather(*(self._sign_up(f"{self.name}-{each}") for each in range(people))))
        for person in self.people:
            networks = self.dice.sample(self.world.networks, 2)
            tokens = [person.token]
            if self.dice.random() < second_devices:
                tokens.append(await self.sign_in(person))
            for number, (token, ways) in enumerate(zip(tokens, networks, strict=False)):
                self.add_device(person, f"{person.name}/{number}", token, ways)
        pairs: set[tuple[int, ...]] = set()
        while len(pairs) < directs:
            pairs.add(tuple(sorted(self.dice.sample(range(people), 2))))
        wanted = [[self.people[one], self.people[other]] for one, other in sorted(pairs)]
        wanted += [self.dice.sample(self.people, self.dice.randint(3, min(7, people))) for _ in range(groups)]
        await asyncio.gather(*(self._found(members) for members in wanted))
        self.groups.sort(key=lambda group: group.id)

    def add_device(self, person: Person, name: str, token: str, ways: Any) -> Device:
        """Give a person one more device, not yet connected."""
        dice = random.Random(self.dice.getrandbits(64))
        device = Device(name, person.id, token, ways, self.rest, dice, self._answered)
        person.devices.append(device)
        self.devices.append(device)
        return device

    async def _sign_up(self, name: str) -> Person:
        body = {"username": f"{name}-{self.dice.getrandbits(32):08x}", "password": PASSWORD}
        answer = await self.insist("", "POST", "/auth/register", body, done_before=409)
        answer = answer or await self.insist("", "POST", "/auth/login", body)
        return Person(answer["user"]["username"], answer["user"]["id"], answer["token"])

    async def sign_in(self, person: Person) -> str:
        """Return the token of one more session of a person."""
        body = {"username": person.name, "password": PASSWORD}
        return str((await self.insist("", "POST", "/auth/login", body))["token"])

    async def _found(self, members: list[Person]) -> None:
        direct = len(members) == 2
        body: dict[str, Any] = {
            "type": "direct" if direct else "group",
            "participant_ids": [person.id for person in members[1:]],
        }
        if not direct:
            body["name"] = f"Group of {members[0].name}"
        conversation = await self.insist(members[0].token, "POST", "/conversations", body)
        self.groups.append(Group(conversation["id"], members, direct))
        for person in members:
            for device in person.devices:
                device.holds[conversation["id"]] = Held(
                    cursor=conversation["last_sequence"],
                    floor=conversation["last_sequence"] + 1,
                    members={each.id for each in members},
                    positions={each.id: (0, 0) for each in members},
                )

    async def insist(
        self, token: str, method: str, path: str, body: Any = None, *, done_before: int | None = None
    ) -> Any:
        """Send a request directly to server processes until one answers with success.

        Return None on the status `done_before`: an earlier, unanswered attempt had succeeded.

        :raises RuntimeError: it answered with a refusal.
        """
        for _ in range(100):
            process = self.dice.choice(self.world.processes)
            status, answer = await self.rest(process.server.port, token, method, path, body)
            if 200 <= status < 300:
                return answer
            if status == done_before:
                return None
            if status not in (0, 500, 503):
                raise RuntimeError(f"{method} {path}: {status} {answer}")
            await asyncio.sleep(0.2)  # between two tries
        raise RuntimeError(f"{method} {path} was never answered")

    # --- Writing ----------------------------------------------------------------------------

    async def begin(self) -> None:
        """Connect everybody, begin to write, and let the clock run."""
        for device in self.devices:
            device.line.begin()
        self.writing = True
        for group in self.groups:
            for person in group.founders:
                self._plan(self.dice.choice(person.devices), group.id, self.dice.uniform(0, self.pause))
        self.start_clock()
        async with asyncio.timeout(DEADLINE):
            for device in self.devices:
                await device.caught_up.wait()

    def start_clock(self) -> None:
        """Let devices do what is due, and writers write."""
        self._spawn(self._run_clock())

    def lets_write(self, person: Person, conversation_id: str) -> None:
        """Make somebody who came into a conversation one of its writers, unless they are one."""
        writers = {(id(device), each) for _, _, device, each in self._due}
        if not any(
            (id(device), conversation_id) in writers
            or any(outgoing.conversation_id == conversation_id for outgoing in device.outbox.waiting.values())
            for device in person.devices
        ):
            self._plan(person.devices[0], conversation_id, self.pause)

    def _plan(self, device: Device, conversation_id: str, wait: float) -> None:
        self._numbers += 1
        heapq.heappush(self._due, (monotonic() + wait, self._numbers, device, conversation_id))

    def _answered(self, device: Device, outgoing: Outgoing) -> None:
        self.acknowledged += 1
        self.answers.append((device.name, outgoing.written_at, monotonic(), outgoing.sends))
        if not device.signed_out:
            self._plan(device, outgoing.conversation_id, self.dice.expovariate(1 / self.pause))

    async def _run_clock(self) -> None:
        looked = monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = monotonic()
            while self.writing and self._due and self._due[0][0] <= now:
                _, _, device, conversation_id = heapq.heappop(self._due)
                self._write(device, conversation_id)
            if now - looked > LOOK:
                looked = now
                for device in self.devices:
                    device.look_at_the_clock(now)

    def _write(self, device: Device, conversation_id: str) -> None:
        if device.signed_out:
            return
        if conversation_id not in device.holds:
            self._plan(device, conversation_id, 1.0)  # not a member now, perhaps later
            return
        outgoing = self.compose(device, conversation_id)
        if self.dice.random() < self.share_by_rest:
            self._spawn(device.outbox.post(outgoing))
        else:
            device.write(outgoing)

    def compose(self, device: Device, conversation_id: str) -> Outgoing:
        """Make a message that nobody else ever wrote."""
        self._numbers += 1
        mine = str(UUID(int=self.dice.getrandbits(128), version=4))
        start = self.dice.randrange(len(WORDS) // 2)
        text = f"{mine[:13]} {self._numbers} {WORDS[start : start + self.dice.randint(1, 60)]}".rstrip()
        return Outgoing(mine, conversation_id, text, monotonic())

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- The end ----------------------------------------------------------------------------

    async def settle(self) -> list[str]:
        """Stop writing; wait until all messages are answered and all devices are up to date; return who is not."""
        self.writing = False
        until = monotonic() + DEADLINE
        active = [device for device in self.devices if not device.signed_out]
        while monotonic() < until and any(
            device.outbox.waiting or device.is_loading or not device.caught_up.is_set() for device in active
        ):
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)  # receipts have no answers; they are written within milliseconds
        for _ in range(2):
            for device in active:
                device.catch_up()
            while monotonic() < until and any(device.is_loading for device in active):
                await asyncio.sleep(0.05)
        return [
            f"{device.name}: {len(device.outbox.waiting)} unanswered, "
            f"{'caught up' if device.caught_up.is_set() else 'not caught up'}{', loading' if device.is_loading else ''}"
            for device in active
            if device.outbox.waiting or device.is_loading or not device.caught_up.is_set()
        ]

    async def leave(self) -> None:
        """Disconnect everybody and stop the clock."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(device.leave() for device in self.devices))
        await self.rest.close()
