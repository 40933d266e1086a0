"""Which faults strike when: a plan, dice, and episodes until enough has happened or time is up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from time import monotonic

from tests.campaign.checker import Verdict
from tests.campaign.episode import Episode, Outcome, Size
from tests.campaign.faults import clocks, database, disk, doorbell, hostile_clients, kills, networks
from tests.campaign.final_checks import final_checks
from tests.campaign.stage import Book, Stage
from tests.campaign.world import World
from tests.harness.services import Services

# Reserved for the last verdicts, the final checks and the episode with the full disk.
RESERVED_SECONDS = 150.0

# Acts in which a process may end or freeze between a commit and its wake-up.
DISTURBING = frozenset({"kills", "restart", "freeze", "clocks", "disk full"})

Act = Callable[[Stage], Awaitable[None]]

KINDS = frozenset(
    {f"kill -9 at {point}" for point in kills.POINTS}
    | {f"wake-ups {fate}" for fate in ("dropped", "doubled", "reordered")}
    | {"kill -9 at random", "SIGTERM, rolling", "Redis killed", "Redis FLUSHALL", "Redis hangs"}
    | {"PostgreSQL restarted", "PostgreSQL crashed and restarted", "backend terminated"}
    | {"cut before COMMIT arrived", "cut after COMMIT arrived", "SIGSTOP in a transaction"}
    | {"connection reset", "silent partition", "sockets that never read", "slowloris", "fragment flood", "herd"}
    | {"clock +1h", "clock -1h", "disk full"}
)


@dataclass(frozen=True)
class Plan:
    """How much the campaign should do."""

    seed: int
    messages: int = 1_000_000
    faults: int = 3_000
    most_seconds: float = 3_600.0
    episode_seconds: float = 150.0
    drizzle: float = 2.0  # small faults a second
    herd: int = 2_000
    deaf: int = 100
    processes: int = 3
    networks: int = 4
    size: Size = field(default_factory=Size)
    limits: dict[str, float] = field(default_factory=dict)
    kinds: frozenset[str] = KINDS
    patient: bool = True
    is_quick: bool = False  # a process dies, PostgreSQL crashes, Redis dies, wake-ups get lost: each once only


@dataclass
class Result:
    """The result of a campaign."""

    plan: Plan
    book: Book = field(default_factory=Book)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def acknowledged(self) -> int:
        """How many messages were acknowledged."""
        return sum(outcome.acknowledged for outcome in self.outcomes)

    @property
    def strikes(self) -> int:
        """How many faults struck."""
        return self.book.strikes.total()

    @property
    def is_enough(self) -> bool:
        """Whether everything planned has happened, except the full disk, which comes last."""
        missing = self.plan.kinds - {"disk full"} - self.book.strikes.keys()
        return self.acknowledged >= self.plan.messages and self.strikes >= self.plan.faults and not missing

    def invalid(self) -> list[str]:
        """Return the reasons why this run is invalid."""
        found = [f"no {kind} struck" for kind in sorted(self.plan.kinds - self.book.strikes.keys())]
        if self.acknowledged < self.plan.messages:
            found.append(f"{self.acknowledged:,} messages were acknowledged, not {self.plan.messages:,}")
        if self.strikes < self.plan.faults:
            found.append(f"{self.strikes:,} faults struck, not {self.plan.faults:,}")
        found += [
            f"{verdict.invariant} was checked on nothing" for verdict in self.verdicts.values() if not verdict.checked
        ]
        return found

    def violations(self) -> list[str]:
        """Return all violations."""
        return [
            *(f"{verdict.invariant}: {text}" for verdict in self.verdicts.values() for text in verdict.shown),
            *self.book.wrong,
        ]


class Conductor:
    """Runs a plan."""

    def __init__(
        self, plan: Plan, services: Services | None = None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.plan = plan
        self.result = Result(plan)
        self._services, self._say = services, say
        self._dice = random.Random(plan.seed)
        self.scissors = database.Scissors(self._fresh_dice())
        self.doorbell = doorbell.Doorbell(self._fresh_dice())
        self._begun = monotonic()

    async def run(self) -> Result:
        """Run episodes until there is enough, then the final checks, then the episode with the full disk."""
        plan, book = self.plan, self.result.book
        async with self._world(self._services) as world:
            number, last_begin = 0, self._begun + plan.most_seconds - plan.episode_seconds - RESERVED_SECONDS
            while not self.result.is_enough and monotonic() < last_begin:
                await self._episode(world, number, plan.episode_seconds, self.acts(number))
                number += 1
            for verdict in await final_checks(world, self.result.outcomes):
                self._judge(verdict)
            book.wrong += [f"the product's own check: {fault}" for fault in await world.integrity_faults()]
            book.wrong += [
                f"{name} logged: {traceback}"
                for name, text in world.logs().items()
                for traceback in tracebacks_in(text)
            ]
        if "disk full" in plan.kinds:
            await self._small_disk()
        self.result.seconds = monotonic() - self._begun
        return self.result

    def acts(self, number: int) -> Iterator[tuple[str, Act]]:
        """Return the acts of an episode, in order; repeated without end in a patient plan, else each once."""
        dice = self._fresh_dice()
        points = sorted(point for point in kills.POINTS if f"kill -9 at {point}" in self.plan.kinds)
        dice.shuffle(points)
        first = ("kills", lambda stage: kills.kill_at(stage, points[:4]))
        second = ("kills", lambda stage: kills.kill_at(stage, points[4:]))
        bells = [("Redis killed", doorbell.redis_kill), ("FLUSHALL", doorbell.redis_flush)]
        bells.append(("Redis hangs", doorbell.redis_hang))
        wake_ups = ("wake-ups", lambda stage: doorbell.wake_ups_mangled(stage, self.doorbell))
        restart = ("restart", lambda stage: database.restart(stage, crash=not number % 2))
        rolling, freeze = ("rolling", kills.rolling), ("freeze", database.freeze_in_transaction)
        partition, apart = ("partition", networks.silent_partition), ("clocks", clocks.clocks_apart)
        strange: list[tuple[str, Act]] = [
            ("never read", lambda stage: hostile_clients.never_read(stage, self.plan.deaf)),
            ("slowloris", lambda stage: hostile_clients.slowloris(stage, self.plan.deaf)),
            ("fragments", lambda stage: hostile_clients.fragment_flood(stage, 20)),
        ]
        herd = ("herd", lambda stage: hostile_clients.herd(stage, self.plan.herd))
        deck: list[tuple[str, Act]] = [first, second, wake_ups, restart]
        if self.plan.is_quick:
            deck = [first, wake_ups, restart, bells[0]]
        elif self.plan.patient:
            deck += [bells[number % 3], (rolling, freeze)[number % 2]]
            deck += ([partition], [apart, freeze], strange, [herd, rolling])[number % 4]
        else:
            deck += [*bells, rolling, freeze, partition, *strange, herd]
        dice.shuffle(deck)
        yield from deck
        while self.plan.patient:
            dice.shuffle(points)
            yield from (first, wake_ups)

    # --- Episodes ---------------------------------------------------------------------------

    async def _episode(self, world: World, number: int | str, seconds: float, acts: Iterator[tuple[str, Act]]) -> None:
        begun = monotonic()
        async with Episode(world, self._dice.getrandbits(64), f"e{number}", self.plan.size) as episode:
            stage = Stage(world, episode, self._fresh_dice(), self.result.book, patient=self.plan.patient)
            await self._ordinary_time(stage)
            drizzling = asyncio.create_task(self._drizzle(stage, self._fresh_dice()))
            try:
                started = monotonic()
                for name, act in acts:
                    if monotonic() - started > seconds:
                        break
                    self._say(f"{monotonic() - self._begun:7.1f} s  episode {number}: {name}")
                    try:
                        async with stage.disturbed() if name in DISTURBING else nullcontext():
                            await act(stage)
                    finally:
                        await self._restart_dead(world)
            finally:
                drizzling.cancel()
                with suppress(asyncio.CancelledError):
                    await drizzling
            outcome = await episode.judged()
            last_frames = episode.actions.last_frames(episode.disturbed)
            stage.measures.add("session revoked: last frame", last_frames, p95=1.0)
        self.result.outcomes.append(outcome)
        for verdict in outcome.verdicts:
            self._judge(verdict)
        self.result.book.wrong += [f"did not settle: {each}" for each in outcome.unsettled]
        self.result.book.wrong += outcome.unexpected
        self.result.book.details["connections replaced by a delayed attempt of the same device"] += outcome.replaced
        wrong = sum(verdict.wrong for verdict in outcome.verdicts)
        self._say(
            f"{monotonic() - self._begun:7.1f} s  episode {number}: {outcome.acknowledged:,} acknowledged, "
            f"{outcome.heard:,} events heard, {wrong} violations, {monotonic() - begun:.0f} s; "
            f"in all {self.result.acknowledged:,} messages, {self.result.strikes:,} faults"
        )
        for verdict in outcome.verdicts:
            for text in verdict.shown[:3]:
                self._say(f"           {verdict.invariant}: {text[:1000]}")

    async def _restart_dead(self, world: World) -> None:
        """Record processes that ended by themselves, and start them again."""
        deaths = world.deaths()
        for death in deaths:
            self._say(death)
        self.result.book.wrong += deaths
        if deaths:
            await world.is_ready()

    async def _ordinary_time(self, stage: Stage) -> None:
        await asyncio.sleep(1)  # let the load get going: the first seconds of processes are not measured
        begun = monotonic()
        await asyncio.sleep(3)  # the measured span
        ended = monotonic()
        await asyncio.sleep(0.5)  # what was sent at its end is answered; five times the limit on delivery
        stage.measures.add("ordinary times: acknowledged until delivered", stage.delays(begun, ended), p99=0.1)
        stage.measures.add("ordinary times: written until acknowledged", stage.waits(begun, ended))

    async def _drizzle(self, stage: Stage, dice: random.Random) -> None:
        while True:
            await asyncio.sleep(dice.expovariate(self.plan.drizzle))
            if stage.is_calm:
                continue
            kind = dice.random()
            if kind < 0.75:
                networks.cut_connection(stage)
            elif kind < 0.9:
                await database.kill_backend(stage)
            else:
                await database.cut_at_commit(stage, self.scissors)

    async def _small_disk(self) -> None:
        async with disk.services_on_a_small_disk() as services:
            await asyncio.to_thread(services.start)
            try:
                await asyncio.to_thread(_migrated, services)
                async with self._world(services) as world:
                    await self._episode(world, "disk", 1.0, iter([("disk full", disk.full_disk)]))
            finally:
                await asyncio.to_thread(services.stop)

    # --- Odds and ends ------------------------------------------------------------------------

    def _world(self, services: Services | None) -> World:
        return World(
            processes=self.plan.processes,
            networks=self.plan.networks,
            limits=self.plan.limits,
            services=services,
            database_filter=self.scissors.filter,
            redis_filter=self.doorbell.filter,
        )

    def _judge(self, verdict: Verdict) -> None:
        self.result.verdicts.setdefault(verdict.invariant, Verdict(verdict.invariant)).add(verdict)

    def _fresh_dice(self) -> random.Random:
        return random.Random(self._dice.getrandbits(64))


def tracebacks_in(log: str) -> list[str]:
    """Return the tracebacks of a log: of each, the lines in our own files and the exception."""
    found = []
    for part in log.split("Traceback (most recent call last)")[1:]:
        lines = part.splitlines()
        end = next((number for number, line in enumerate(lines[1:], 1) if not line.startswith(" ")), len(lines) - 1)
        way = [line.strip() for line in lines[1:end] if line.startswith("  File") and "site-packages" not in line]
        found.append(" / ".join([*way, *lines[end : end + 1]]))
    return found


def _migrated(services: Services) -> None:
    services.fresh_database()
