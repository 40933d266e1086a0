"""Redis dies, forgets, hangs; wake-ups are dropped, doubled, reordered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from time import monotonic

from tests.campaign.stage import GRACE, Stage
from tests.harness.proxy import Direction, Filter, Link

DELIVERY = "without Redis: acknowledged until delivered"


class Doorbell:
    """Mangles wake-ups on every wire to Redis while `rate` is above 0: `filter` is what proxies take."""

    def __init__(self, dice: random.Random) -> None:
        self.rate = 0.0
        self.counts: Counter[str] = Counter()
        self._dice = dice

    def filter(self, link: Link) -> Filter:
        """Make the filter of one connection."""
        return _WakeUps(link, self)

    def fate(self) -> str:
        """Return what to do with a wake-up."""
        fate = self._dice.choice(("dropped", "doubled", "reordered")) if self._dice.random() < self.rate else "passed"
        self.counts[fate] += 1
        return fate


class _WakeUps(Filter):
    """Reads what Redis pushes to subscribers: arrays of three strings, the first of them "message"."""

    def __init__(self, link: Link, doorbell: Doorbell) -> None:
        super().__init__(link)
        self._doorbell = doorbell
        self._rest = b""
        self._held: list[bytes] = []

    def passes(self, data: bytes, direction: Direction) -> bytes:
        if direction == "up" or (not self._doorbell.rate and not self._rest and not self._held):
            return data
        data, self._rest = self._rest + data, b""
        out, at = [], 0
        while at < len(data):
            end = value_end(data, at)
            if end is None:
                self._rest = data[at:]
                break
            out.append(self._mangled(data[at:end]))
            at = end
        return b"".join(out)

    def _mangled(self, value: bytes) -> bytes:
        if not value.startswith((b"*3\r\n$7\r\nmessage\r\n", b">3\r\n$7\r\nmessage\r\n")):
            return value
        fate = self._doorbell.fate()
        if fate == "dropped":
            return b""
        if fate == "doubled":
            return value + value
        if fate == "reordered":
            # It is sent after the next one, or after a while if there is none.
            self._held.append(value)
            asyncio.get_running_loop().call_later(0.2, self._let_go)
            return b""
        held, self._held = b"".join(self._held), []
        return value + held

    def _let_go(self) -> None:
        # Only between values, so that none is split; otherwise it is sent with the next value.
        if self._held and not self._rest:
            held, self._held = b"".join(self._held), []
            self.link.write(held, "down")


def value_end(data: bytes, at: int) -> int | None:
    """Return where the RESP value that begins at `at` ends; None when it is not complete."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, after = data[at : at + 1], line + 2
    if kind in b"+-:_#,(":
        return after
    count = int(data[at + 1 : line])
    if kind in b"$=!":
        end = after if count < 0 else after + count + 2
        return end if end <= len(data) else None
    for _ in range(max(0, count) * (2 if kind == b"%" else 1)):
        inner = value_end(data, after)
        if inner is None:
            return None
        after = inner
    return after


async def redis_kill(stage: Stage) -> None:
    """Kill Redis, and start it again after a while."""
    redis = stage.world.services.redis

    async def strike() -> None:
        await asyncio.to_thread(redis.kill)
        await asyncio.sleep(stage.dice.uniform(2, 5))
        await asyncio.to_thread(redis.start)

    await _disturb(stage, "Redis killed", strike)


async def redis_flush(stage: Stage) -> None:
    """Make Redis forget everything."""
    await _disturb(stage, "Redis FLUSHALL", lambda: asyncio.to_thread(stage.world.services.redis.flush))


async def redis_hang(stage: Stage) -> None:
    """Let Redis hang for a while."""
    redis = stage.world.services.redis

    async def strike() -> None:
        redis.program.freeze()
        await asyncio.sleep(stage.dice.uniform(2, 5))
        redis.program.thaw()

    await _disturb(stage, "Redis hangs", strike)


async def _disturb(stage: Stage, kind: str, strike) -> None:  # type: ignore[no-untyped-def]
    async with stage.calm(), stage.disturbed():
        begun = monotonic()
        await strike()
        ended = monotonic()
        stage.book.struck(kind)
        await asyncio.sleep(GRACE)
        stage.measures.add(DELIVERY, stage.delays(begun, ended + 0.5), most=2.5)
        stage.measures.add(f"{kind}: connections that ended", [stage.closes(begun, ended + GRACE)], unit="", most=0)
    if stage.patient:
        await _presence_is_back(stage, ended)


async def _presence_is_back(stage: Stage, since: float) -> None:
    """Measure until somebody who is connected is shown as online again."""
    group = stage.dice.choice(stage.crowd.groups)
    viewer, person = (each.devices[0] for each in group.founders[:2])
    while monotonic() - since < 40:
        status, body = await viewer.ask("GET", f"/users/{person.user_id}/profile")
        if status == 200 and person.caught_up.is_set() and (body.get("presence") or {}).get("status") == "online":
            break
        await asyncio.sleep(0.5)
    stage.measures.add("Redis back: presence back", [monotonic() - since], most=30.0)


async def wake_ups_mangled(stage: Stage, doorbell: Doorbell) -> None:
    """Drop, double or reorder 30 % of the wake-ups for a while."""
    before = Counter(doorbell.counts)
    begun = monotonic()
    async with stage.disturbed():
        doorbell.rate = 0.3
        await asyncio.sleep(stage.dice.uniform(3, 8) if stage.patient else 3)
        doorbell.rate = 0.0
        ended = monotonic()
        await asyncio.sleep(GRACE)
    for fate in ("dropped", "doubled", "reordered"):
        number = doorbell.counts[fate] - before[fate]
        if number:
            stage.book.struck(f"wake-ups {fate}")
            stage.book.details[f"single wake-ups {fate}"] += number
        else:
            stage.book.missed(f"wake-ups {fate}")
    stage.measures.add("wake-ups mangled: acknowledged until delivered", stage.delays(begun, ended))
