"""The installation under fire: server processes, PostgreSQL, Redis, and a faulty proxy between any two of them.

    device ── way of its network ──> server process ── wire of its own ──> PostgreSQL, Redis

Each network has one way to each process, so that a part of the clients can be cut off from everything.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.installation import ROOM
from tests.harness.processes import temporary_folder
from tests.harness.product import manage, migrate, production_environment
from tests.harness.proxy import Filter, Link, Proxy
from tests.harness.servers import ROOM_FOR_TESTS, Server
from tests.harness.services import Services


@dataclass
class Process:
    """A server process with its wires to the stores."""

    number: int
    server: Server
    database: Proxy
    redis: Proxy

    async def starts(self, **settings: str) -> None:
        """Start it, and wait until it is ready."""
        await asyncio.to_thread(self.server.start, **settings)

    async def is_killed(self) -> None:
        """End it with SIGKILL if it runs."""
        if self.server.running:
            await asyncio.to_thread(self.server.kill)


class World:
    """Everything that runs. Use it as `async with World(...) as world:`."""

    def __init__(
        self,
        *,
        processes: int = 3,
        networks: int = 4,
        limits: Mapping[str, float] | None = None,
        services: Services | None = None,
        database_filter: Callable[[Link], Filter] | None = None,
        redis_filter: Callable[[Link], Filter] | None = None,
    ) -> None:
        self._counts = (processes, networks)
        self.limits = {**ROOM_FOR_TESTS, **ROOM, **(limits or {})}
        self.services = services or Services()
        self._own_services = services is None
        self._filters = (database_filter, redis_filter)
        self._stack = AsyncExitStack()
        self.folder: Path = temporary_folder("campaign")
        self.processes: list[Process] = []
        self.networks: list[list[Proxy]] = []
        self.database = "chatsite"
        self.environment: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        try:
            if self._own_services:
                await asyncio.to_thread(self.services.start)
                await asyncio.to_thread(migrate, self.services.environment())
            else:
                self.database = (await asyncio.to_thread(self.services.fresh_database)).rsplit("/", 1)[1]
            self.environment = production_environment(
                self.services.postgresql.url(self.database), self.services.redis
            ) | {"CHATSITE_LIMITS": json.dumps(self.limits)}
            processes, networks = self._counts
            for number in range(processes):
                self.processes.append(await self._process(number))
            await asyncio.gather(*(process.starts() for process in self.processes))
            for _ in range(networks):
                self.networks.append([await self._wire(process.server.port) for process in self.processes])
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes:
            if process.server.running:
                process.server.program.thaw()
                process.server.kill()
        await self._stack.aclose()
        if self._own_services:
            await asyncio.to_thread(self._stop_services)
        else:
            await asyncio.to_thread(self.services.postgresql.drop_database, self.database)

    def _stop_services(self) -> None:
        for program in (self.services.postgresql.program, self.services.redis.program):
            program.thaw()
        self.services.stop()

    async def _wire(self, port: int, filters: Callable[[Link], Filter] | None = None) -> Proxy:
        return await self._stack.enter_async_context(Proxy(port, filters=filters))

    async def _process(self, number: int) -> Process:
        database = await self._wire(self.services.postgresql.port, self._filters[0])
        redis = await self._wire(self.services.redis.port, self._filters[1])
        environment = self.environment | {
            "DATABASE_URL": self.environment["DATABASE_URL"].replace(
                f":{self.services.postgresql.port}/", f":{database.port}/"
            ),
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
        }
        return Process(number, Server(f"server-{number}", environment, self.folder), database, redis)

    def heal(self) -> None:
        """End every fault of every wire."""
        for process in self.processes:
            process.database.heal()
            process.redis.heal()
        for network in self.networks:
            for way in network:
                way.heal()

    async def is_ready(self) -> None:
        """Heal all wires, thaw and start stopped programs, and wait until all answer."""
        self.heal()
        for process in self.processes:
            if process.server.running:
                process.server.program.thaw()
            else:
                await process.starts()
        await asyncio.gather(*(asyncio.to_thread(process.server.becomes_ready) for process in self.processes))

    def deaths(self) -> list[str]:
        """Return which server processes do not run, how they ended, and the end of their output."""
        return [
            f"{process.server.name} ended by itself with {process.server.program.exit_code}: "
            + process.server.log()[-2000:]
            for process in self.processes
            if not process.server.running
        ]

    async def integrity_faults(self) -> list[str]:
        """Return what the product's own check of its rows finds wrong."""
        try:
            await asyncio.to_thread(manage, ["check_integrity"], self.environment, timeout=600)
        except RuntimeError as found:
            return str(found).splitlines()
        return []

    def logs(self) -> dict[str, str]:
        """Return what every server process logged, by its name."""
        return {process.server.name: process.server.log() for process in self.processes}
