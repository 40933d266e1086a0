"""W5, reads: the requests of an ordinary client, on tables of 10 thousand, 1 million and 10 million messages.

The requests, one at a time: the newest page of history, a page from the middle of 5,000 messages, the list of
conversations with unread counts, and a sync of 100 conversations after an absence. Over REST, the sync over the socket.
(There is no search in the product yet.) The reader (`benchmarks.reader`) is the same everywhere; the rest of a
table is load data. Each size has a server process of its own, and requests go to all in turns, so that other load
on the machine affects all alike. The cost of a request is the processor time of the server and of PostgreSQL.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from benchmarks import reader
from benchmarks.catching_up import CatchingUp, connected
from benchmarks.clients import Invalid
from benchmarks.installation import Installation
from benchmarks.result import Bar, Result, percentile, spread
from benchmarks.usage import Stopwatch, cpu_seconds

TABLES = {"10k": 10_000, "1m": 1_000_000, "10m": 10_000_000}
ROUNDS, PER_ROUND, WARM_UP = 20, 20, 40
PAGE = 50
BAR = Bar(first=5.0, target=5.0, at_least=False)
GROWTH_BAR = Bar(first=1.2, target=1.2, at_least=False)


@dataclass(slots=True)
class Asked:
    """The measurements of one kind of request on one table: seconds of each, and CPU seconds of all together."""

    waits: list[float] = field(default_factory=list)
    server_cpu: float = 0.0
    postgresql_cpu: float = 0.0

    @property
    def cost_us(self) -> float:
        """Processor time of server and PostgreSQL per request."""
        return (self.server_cpu + self.postgresql_cpu) / len(self.waits) * 1e6


class Table:
    """A table of one size: its server, and the reader's client."""

    def __init__(self, installation: Installation, size: int) -> None:
        if size > reader.MESSAGES:
            installation.generate_load_data("--messages", str(size - reader.MESSAGES))
        self.known = installation.describes("benchmarks.reader")
        installation.fresh_server()
        self.installation = installation
        self.asked: dict[str, Asked] = {}
        address = urlsplit(installation.url)
        self._http = http.client.HTTPConnection(address.hostname or "", address.port)
        self._headers = {"Authorization": f"Bearer {self.known['token']}"}
        self._client: CatchingUp | None = None

    def get(self, path: str) -> dict:
        """Make a REST request."""
        self._http.request("GET", f"/api/v1{path}", headers=self._headers)
        answer = self._http.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Invalid(f"GET {path} was answered with {answer.status}: {body[:200]!r}")
        return msgspec.json.decode(body)

    async def history(self, before: int | None = None) -> None:
        """Load a page of the large conversation."""
        top = before or self.known["heads"][self.known["conversation_id"]] + 1
        part = f"?before={before}" if before else ""
        page = self.get(f"/conversations/{self.known['conversation_id']}/messages{part}")
        if [each["sequence"] for each in page["results"]] != list(range(top - 1, top - 1 - PAGE, -1)):
            raise Invalid("a page of history came with other messages than asked for")

    async def history_in_the_middle(self) -> None:
        """Load a page in the middle of 5,000 messages."""
        await self.history(before=reader.MESSAGES // 4)

    async def conversations(self) -> None:
        """Load the first page of conversations."""
        page = self.get("/conversations")
        unread = [each["unread_count"] for each in page["results"]]
        if len(unread) != PAGE or sum(count > 0 for count in unread) != reader.UNREAD_IN:
            raise Invalid(f"the list of conversations came with other unread counts: {unread}")

    async def sync(self) -> None:
        """Catch up with 100 conversations over the socket."""
        if self._client is None:
            self._client = await connected(self.installation.url, self.known["token"])
        caught_up = await self._client.sync(self.known["cursors"], self.known["since"])
        if caught_up.events != reader.MISSED_IN * reader.MISSED_EACH or caught_up.heads != self.known["heads"]:
            raise Invalid(f"a sync came with {caught_up.events} events and {len(caught_up.heads)} heads")

    async def measure(self, name: str, request: Callable[[], Awaitable[None]], times: int) -> None:
        """Make a request `times` times, and record its measurements."""
        asked = self.asked.setdefault(name, Asked())
        pids = self.installation.pids
        before = cpu_seconds(pids["server"]), cpu_seconds(pids["postgresql"])
        for _ in range(times):
            begun = time.perf_counter()
            await request()
            asked.waits.append(time.perf_counter() - begun)
        asked.server_cpu += cpu_seconds(pids["server"]) - before[0]
        asked.postgresql_cpu += cpu_seconds(pids["postgresql"]) - before[1]

    async def measure_all(self, times: int) -> None:
        """Make every request `times` times."""
        await self.measure("history", self.history, times)
        await self.measure("history_middle", self.history_in_the_middle, times)
        await self.measure("conversations", self.conversations, times)
        await self.measure("sync", self.sync, times)

    def close(self) -> None:
        """End the client's connections."""
        self._http.close()
        if self._client is not None:
            self._client.leave()


async def run(installation: Installation) -> list[Result]:
    """Measure."""
    with ExitStack() as stack:
        tables: dict[str, Table] = {}
        for name, size in TABLES.items():
            beside = installation.beside()
            stack.callback(beside.stop)
            tables[name] = Table(beside, size)
            stack.callback(tables[name].close)
        for table in tables.values():
            await table.measure_all(WARM_UP)
            table.asked.clear()
        pids = {f"server {name}": table.installation.pids["server"] for name, table in tables.items()}
        watch = Stopwatch(pids | {"postgresql": tables["10k"].installation.pids["postgresql"]})
        watch.start()
        for _ in range(ROUNDS):
            for table in tables.values():
                await table.measure_all(PER_ROUND)
        watch.stop()
        for table in tables.values():
            table.installation.assert_clean_log()
        return _results(tables, watch)


def _results(tables: dict[str, Table], watch: Stopwatch) -> list[Result]:
    figures: dict[str, float] = {}
    growth: dict[str, float] = {}
    smallest, (largest_name, largest) = next(iter(tables.values())), list(tables.items())[-1]
    for kind in smallest.asked:
        for name, table in tables.items():
            asked = table.asked[kind]
            figures |= spread(f"{kind}_{name}", asked.waits)
            figures[f"{kind}_{name}_server_us"] = asked.server_cpu / len(asked.waits) * 1e6
            figures[f"{kind}_{name}_postgresql_us"] = asked.postgresql_cpu / len(asked.waits) * 1e6
        small, large = smallest.asked[kind], largest.asked[kind]
        growth[f"{kind}_cost_ratio"] = large.cost_us / small.cost_us
        growth[f"{kind}_wait_ratio"] = percentile(large.waits, 50) / percentile(small.waits, 50)
    growth = {"largest_ratio": max(growth.values()), **growth}
    worst = max(percentile(asked.waits, 50) for asked in largest.asked.values()) * 1e3
    headline = {"slowest_p50_ms": worst, **figures}
    title = f"reads: one reader, {TABLES[largest_name]:,} messages"
    against = f"{TABLES[largest_name]:,} against {next(iter(TABLES.values())):,} messages"
    return [
        Result("w5", title, "slowest_p50_ms", BAR, headline).measured_by(watch),
        Result("w5_growth", f"reads: {against}", "largest_ratio", GROWTH_BAR, growth).measured_by(watch),
    ]
