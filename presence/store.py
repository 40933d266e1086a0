"""Leases of connections and what is shown of people: in memory for one process, in Redis for several.

A connection is a lease that its process renews; a process that dies leaves leases that run out. What a
person looks like follows from their leases and their choice, and is announced when it changes.
"""

import datetime
import json
import threading
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol, cast

import redis
from django.conf import settings

from realtime.database import clock

# How long "last seen" and a chosen status of an absent person are kept.
REMEMBERED_SECONDS = 60 * 60 * 24 * 90
Status = Literal["online", "idle", "away", "busy", "offline"]
RANK: tuple[Status, ...] = ("online", "idle", "away")


@dataclass(frozen=True, slots=True)
class Lease:
    """One connection: how active it is (online, idle, away), and until when that is valid (Unix time).

    `active_at` is when its user last did something there.
    """

    user_id: str
    connection_id: str
    status: Status
    expires: float
    active_at: float = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """What others see of a person. `last_seen` is Unix time, set while they are offline."""

    status: Status
    activity: str | None = None
    last_seen: float | None = None

    @property
    def seen_at(self) -> datetime.datetime | None:
        """`last_seen` as a time."""
        return datetime.datetime.fromtimestamp(self.last_seen, datetime.UTC) if self.last_seen else None


@dataclass(frozen=True, slots=True)
class Activity:
    """When a person last did something on any of their connections (Unix time), and whether they chose to be busy."""

    active_at: float = 0
    busy: bool = False


class Store(Protocol):
    """The interface of the store. Every method may be called from any thread."""

    def keep(self, leases: Iterable[Lease]) -> None:
        """Write or renew leases."""

    def choose(self, user_id: str, status: str, activity: str | None) -> None:
        """Store the status that a person chose."""

    def invisible(self, user_ids: Collection[str]) -> set[str]:
        """Return those of these people who chose to be invisible."""

    def expired(self) -> set[str]:
        """Drop expired leases; return the people of these. Each expired lease goes to one process only."""

    def settle(self, user_ids: Collection[str]) -> dict[str, Shown]:
        """Work out what is shown of these people now; return those for whom it changed."""

    def shown(self, user_ids: Collection[str]) -> dict[str, Shown]:
        """Return what is shown of these people, without those of whom nothing is known."""

    def activity(self, user_ids: Collection[str]) -> dict[str, Activity]:
        """Return what these people do, shown or not."""


def combined(statuses: Collection[Status], choice: dict[str, Any], before: Shown | None, now: float) -> Shown:
    """Return what is shown of a person with these living connections and this choice."""
    chosen = choice.get("status", "online")
    if chosen == "invisible" and before is None:
        return Shown("offline")  # nobody has seen them
    if not statuses or chosen == "invisible":
        was_there = before is None or before.status != "offline"
        return Shown("offline", None, now if was_there else before.last_seen)  # type: ignore[union-attr]
    status = min(statuses, key=RANK.index) if chosen == "online" else chosen
    return Shown(status, choice.get("activity"), None)


def _activity(moments: Collection[float], choice: dict[str, Any]) -> Activity:
    return Activity(max(moments, default=0), choice.get("status") == "busy")


class MemoryStore:
    """For a single process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[str, dict[str, Lease]] = {}
        self._choices: dict[str, dict[str, Any]] = {}
        self._shown: dict[str, Shown] = {}

    def keep(self, leases: Iterable[Lease]) -> None:
        with self._lock:
            for lease in leases:
                self._leases.setdefault(lease.user_id, {})[lease.connection_id] = lease

    def choose(self, user_id: str, status: str, activity: str | None) -> None:
        with self._lock:
            self._choices[user_id] = {"status": status, "activity": activity}

    def invisible(self, user_ids: Collection[str]) -> set[str]:
        with self._lock:
            return {id for id in user_ids if self._choices.get(id, {}).get("status") == "invisible"}

    def expired(self) -> set[str]:
        now = clock.now().timestamp()
        whose = set()
        with self._lock:
            for user_id, leases in list(self._leases.items()):
                for lease in list(leases.values()):
                    if lease.expires <= now:
                        del leases[lease.connection_id]
                        whose.add(user_id)
                if not leases:
                    del self._leases[user_id]
        return whose

    def settle(self, user_ids: Collection[str]) -> dict[str, Shown]:
        now = clock.now().timestamp()
        changed = {}
        with self._lock:
            for user_id in user_ids:
                statuses = [lease.status for lease in self._leases.get(user_id, {}).values() if lease.expires > now]
                before = self._shown.get(user_id)
                shown = combined(statuses, self._choices.get(user_id, {}), before, now)
                if shown != before:
                    self._shown[user_id] = changed[user_id] = shown
        return changed

    def shown(self, user_ids: Collection[str]) -> dict[str, Shown]:
        with self._lock:
            return {user_id: self._shown[user_id] for user_id in user_ids if user_id in self._shown}

    def activity(self, user_ids: Collection[str]) -> dict[str, Activity]:
        with self._lock:
            return {
                user_id: _activity(
                    [lease.active_at for lease in self._leases.get(user_id, {}).values()],
                    self._choices.get(user_id, {}),
                )
                for user_id in user_ids
            }


class RedisStore:
    """For several processes. Pipelined: a call costs one or two round trips, however many people."""

    EXPIRIES = "chatsite:presence:expiries"

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, decode_responses=True)

    def keep(self, leases: Iterable[Lease]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for lease in leases:
            key = self._key("leases", lease.user_id)
            pipe.hset(key, lease.connection_id, json.dumps([lease.status, lease.expires, lease.active_at]))
            pipe.expireat(key, int(lease.expires) + 3600)
            pipe.zadd(self.EXPIRIES, {f"{lease.user_id}|{lease.connection_id}": lease.expires})
        pipe.execute()

    def choose(self, user_id: str, status: str, activity: str | None) -> None:
        choice = json.dumps({"status": status, "activity": activity})
        self._redis.set(self._key("choice", user_id), choice, ex=REMEMBERED_SECONDS)

    def invisible(self, user_ids: Collection[str]) -> set[str]:
        users = list(user_ids)
        if not users:
            return set()
        rows = self._redis.mget([self._key("choice", user_id) for user_id in users])
        return {id for id, row in zip(users, rows, strict=True) if row and json.loads(row)["status"] == "invisible"}

    def expired(self) -> set[str]:
        # The client decodes, so these are strings; its types also allow for all other answers of Redis.
        members = cast(
            list[str], self._redis.zrangebyscore(self.EXPIRIES, 0, clock.now().timestamp(), start=0, num=5000)
        )
        if not members:
            return set()
        pipe = self._redis.pipeline(transaction=False)
        for member in members:
            pipe.zrem(self.EXPIRIES, member)
        removed = pipe.execute()
        mine = [member.split("|") for member, count in zip(members, removed, strict=True) if count]
        for user_id, connection_id in mine:
            pipe.hdel(self._key("leases", user_id), connection_id)
        pipe.execute()
        return {user_id for user_id, _ in mine}

    def settle(self, user_ids: Collection[str]) -> dict[str, Shown]:
        users = list(user_ids)
        if not users:
            return {}
        pipe = self._redis.pipeline(transaction=False)
        for user_id in users:
            pipe.hgetall(self._key("leases", user_id))
            pipe.get(self._key("choice", user_id))
            pipe.get(self._key("shown", user_id))
        rows = pipe.execute()
        now = clock.now().timestamp()
        changed = {}
        for user_id, leases, choice, was in zip(users, rows[::3], rows[1::3], rows[2::3], strict=True):
            living = [status for status, expires, *_ in map(json.loads, leases.values()) if expires > now]
            before = Shown(**json.loads(was)) if was else None
            shown = combined(living, json.loads(choice) if choice else {}, before, now)
            if shown != before:
                changed[user_id] = shown
                pipe.set(self._key("shown", user_id), json.dumps(asdict(shown)), ex=REMEMBERED_SECONDS)
        pipe.execute()
        return changed

    def shown(self, user_ids: Collection[str]) -> dict[str, Shown]:
        users = list(user_ids)
        if not users:
            return {}
        rows = self._redis.mget([self._key("shown", user_id) for user_id in users])
        return {user_id: Shown(**json.loads(row)) for user_id, row in zip(users, rows, strict=True) if row}

    def activity(self, user_ids: Collection[str]) -> dict[str, Activity]:
        users = list(user_ids)
        pipe = self._redis.pipeline(transaction=False)
        for user_id in users:
            pipe.hvals(self._key("leases", user_id))
            pipe.get(self._key("choice", user_id))
        rows = pipe.execute() if users else []
        return {
            user_id: _activity(
                # A server of an older release writes two values.
                [active_at for _, _, active_at in ((*json.loads(lease), 0)[:3] for lease in leases)],
                json.loads(choice) if choice else {},
            )
            for user_id, leases, choice in zip(users, rows[::2], rows[1::2], strict=True)
        }

    def _key(self, kind: str, user_id: str) -> str:
        return f"chatsite:presence:{kind}:{user_id}"


@lru_cache(maxsize=1)
def store() -> Store:
    """Return this process's store: Redis where there is one."""
    return RedisStore(settings.REDIS_URL) if settings.REDIS_URL else MemoryStore()
