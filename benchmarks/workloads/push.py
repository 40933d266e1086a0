"""Pushes: one message to a group of 10,000 who are away, each with an iPhone, while two other people chat.

Blocks alternate: in one the two chat alone, in the next a message is sent to the group as well, until its last push is
at the provider (a double of APNs on this machine) and recorded. This runs with one worker, then with two. At the end,
without workers, the sender's POST to the group and to one person are timed in turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg

from benchmarks.chatsite_client import Place
from benchmarks.chatting import Chat, heartbeats
from benchmarks.clients import Crowd, Invalid
from benchmarks.installation import Installation
from benchmarks.result import Bar, Result, percentile, spread
from benchmarks.usage import Stopwatch
from tests.harness.processes import temporary_folder
from tests.harness.providers.apns import Apns
from tests.harness.providers.journal import JournalReader
from tests.harness.workers import Worker

MEMBERS, WORKERS = 10_000, (1, 2)
PER_SECOND = 50
ROUNDS, ALONE_SECONDS = 3, 10.0
POSTS, POSTS_WARM_UP = 200, 30
TIMEOUT = 300.0
BAR = Bar(first=100, target=300, at_least=True)
OTHERS_BAR = Bar(first=500.0, target=500.0, at_least=False)
POST_BAR = Bar(first=1.2, target=1.1, at_least=False)


@dataclass(slots=True)
class Seen:
    """The measurements of the rounds with one number of workers. Times in seconds, one for each round or message."""

    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)  # seconds of all rounds, by process
    commits: float = 0
    alone: list[list[float]] = field(default_factory=list)  # acknowledgements of the chatting pair, by block
    beside: list[list[float]] = field(default_factory=list)

    def add(self, first: float, last: float, decided: float, watch: Stopwatch, commits: float) -> None:
        """Add the measurements of one round."""
        for times, took in ((self.first, first), (self.last, last), (self.decided, decided)):
            times.append(took)
        for name, used in watch.cpu.items():
            kind = name.partition("-")[0]
            self.cpu[kind] = self.cpu.get(kind, 0) + used
        self.commits += commits

    def figures(self) -> dict[str, float]:
        """Return medians of the rounds, and the cost of one delivery."""
        deliveries = MEMBERS * len(self.last)
        figures = {
            "pushes_per_s": median(MEMBERS / (last - first) for first, last in zip(self.first, self.last, strict=True)),
            "first_push_s": median(self.first),
            "last_push_s": median(self.last),
            "fan_out_s": median(self.decided),
            "transactions_per_delivery": self.commits / deliveries,
        }
        return figures | {
            f"{name}_cpu_per_delivery_ms": used / deliveries * 1e3
            for name, used in self.cpu.items()
            if name in ("worker", "postgresql", "redis")
        }

    def of_others(self) -> dict[str, float]:
        """Return the latencies of the chatting pair: of all blocks together, and the ratio of the medians of blocks."""
        figures = {}
        for percent in (50, 99):
            alone, beside = (median(percentile(block, percent) for block in kind) for kind in (self.alone, self.beside))
            figures[f"p{percent}_ratio"] = beside / alone
        together = spread("beside_ack", [each for block in self.beside for each in block])
        return together | spread("alone_ack", [each for block in self.alone for each in block]) | figures


class Away:
    """The sender of the group, the provider, and queries of the deliveries."""

    def __init__(self, installation: Installation, apns: Apns, known: Mapping[str, Any], *, devices: int) -> None:
        address = urlsplit(installation.url)
        self.group_id, self.direct_id = known["group_id"], known["direct_id"]
        self._devices = devices
        self._http = http.client.HTTPConnection(address.hostname or "", address.port)
        self._headers = {"Authorization": f"Bearer {known['token']}", "Content-Type": "application/json"}
        self._journal = JournalReader(apns.folder / "received.jsonl")
        self._database = psycopg.connect(installation.environment["DATABASE_URL"], autocommit=True)

    def post(self, conversation_id: str) -> float:
        """Send a message over REST; return the time until the answer, in seconds.

        :raises Invalid: it was refused.
        """
        body = msgspec.json.encode({"conversation_id": conversation_id, "content": "Hello, everybody."})
        begun = time.perf_counter()
        self._http.request("POST", "/api/v1/messages", body, self._headers)
        answer = self._http.getresponse()
        said = answer.read()
        took = time.perf_counter() - begun
        if answer.status != 201:
            raise Invalid(f"a message was answered with {answer.status}: {said[:200]!r}")
        return took

    async def pushes(self) -> tuple[float, float, float]:
        """Send to everybody; return when the first and the last push came and the last member was decided, in seconds.

        :raises Invalid: a device got no push, or two, or it took too long.
        """
        before = len(self._journal.entries)
        sent_at = time.time()
        self.connect_anew()
        await asyncio.to_thread(self.post, self.group_id)
        async with asyncio.timeout(TIMEOUT):
            while len(self._journal.entries) < before + self._devices or self.asks(_WAITING):
                await asyncio.sleep(0.2)
                self._journal.read()
        arrived = self._journal.entries[before:]
        if len({entry["token"] for entry in arrived}) != len(arrived) or not all(each["delivered"] for each in arrived):
            raise Invalid(f"{len(arrived)} pushes came for {self._devices} devices, or some were refused")
        times = [entry["at"] - sent_at for entry in arrived]
        return min(times), max(times), self.asks(_DECIDED) - sent_at

    def forgets_what_was_sent(self) -> None:
        """Drop the notifications of messages that were sent while no worker ran."""
        self._database.execute(
            "UPDATE notifications_progress SET floor = newest, candidate = newest "
            "FROM (SELECT max(id) AS newest FROM conversations_event) AS log WHERE name = 'events'"
        )

    def connect_anew(self) -> None:
        """Drop the connection, so that the next POST opens another: after a pause the server may have closed it."""
        self._http.close()

    def asks(self, query: str) -> Any:
        """Return the one value of a query."""
        row = self._database.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def close(self) -> None:
        """End the connections."""
        self._http.close()
        self._database.close()


_WAITING = "SELECT EXISTS (SELECT FROM notifications_delivery WHERE next_at IS NOT NULL)"
_DECIDED = "SELECT extract(epoch FROM max(decided_at))::float FROM notifications_fanout"
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


def everybody_away(
    installation: Installation, stack: contextlib.ExitStack, *, members: int, devices: int
) -> tuple[Installation, Away, list[Any]]:
    """Start a double of APNs and a server with a group of `members`, of whom `devices` have an iPhone.

    Return that server, the sender with its provider, and two pairs of places in which other people may chat.
    """
    apns = stack.enter_context(Apns())
    beside = installation.beside()
    stack.callback(beside.stop)
    beside.environment |= _provider_settings(apns)
    known = beside.describes("benchmarks.away", str(members), str(devices))
    beside.fresh_server()
    away = Away(beside, apns, known, devices=devices)
    stack.callback(away.close)
    return beside, away, known["pairs"]


def started_worker(name: str, installation: Installation, stack: contextlib.ExitStack) -> Worker:
    """Start a worker of 16 threads, which is stopped with the stack at the latest."""
    worker = Worker(name, installation.environment, temporary_folder("worker"), concurrency=16)
    worker.start()
    stack.callback(_end, worker)
    return worker


async def run(installation: Installation) -> list[Result]:
    """Measure."""
    with contextlib.ExitStack() as stack:
        beside, away, pairs = everybody_away(installation, stack, members=MEMBERS, devices=MEMBERS)
        results: list[Result] = []
        workers: list[Worker] = []
        for number, pair in zip(WORKERS, pairs, strict=False):
            worker = started_worker(f"worker-{number}", beside, stack)
            workers.append(worker)
            results += await _measured(beside, away, pair, workers)
        for worker in workers:
            worker.stop()
            if "Traceback (most recent call last)" in worker.log():
                raise Invalid(f"{worker.name} logged a traceback:\n{worker.log()[-3000:]}")
        results.append(posts(beside, away, "push_posts", MEMBERS))
        beside.assert_clean_log()
        return results


async def _measured(installation: Installation, away: Away, pair: list[Any], workers: list[Worker]) -> list[Result]:
    crowd = Crowd(installation)
    sender, receiver = await crowd.connect([Place(**place) for place in pair])
    chat = Chat(crowd, [(sender, receiver)], PER_SECOND)
    await crowd.settle()
    beating = asyncio.ensure_future(heartbeats([sender, receiver]))
    chat.begin()
    await away.pushes()  # a warm-up
    seen = Seen()
    pids = installation.pids | {worker.name: worker.program.pid for worker in workers}
    whole = Stopwatch(pids)
    whole.start()
    for _ in range(ROUNDS):
        chat.mark()
        commits = away.asks(_COMMITS)
        await asyncio.sleep(ALONE_SECONDS)
        per_second = (away.asks(_COMMITS) - commits) / ALONE_SECONDS
        seen.alone.append(chat.acknowledged)
        watch, commits = Stopwatch(pids), away.asks(_COMMITS)
        watch.start()
        chat.mark()
        first, last, decided = await away.pushes()
        watch.stop()
        seen.beside.append(chat.acknowledged)
        seen.add(first, last, decided, watch, away.asks(_COMMITS) - commits - per_second * watch.seconds)
    whole.stop()
    await chat.end()
    beating.cancel()
    await crowd.leave()
    title = f"pushes: {MEMBERS:,} devices, {len(workers)} worker{'s' * (len(workers) > 1)}"
    name = f"push_{len(workers)}"
    return [
        Result(name, title, "pushes_per_s", BAR, seen.figures()).measured_by(whole),
        Result(
            f"{name}_others", f"{title}: others' acknowledgements", "beside_ack_p99_ms", OTHERS_BAR, seen.of_others()
        ).measured_by(whole),
    ]


def posts(installation: Installation, away: Away, name: str, members: int) -> Result:
    """Time the sender's POST to the group and to one person, in turns; their notifications are dropped."""
    took: dict[str, list[float]] = {away.group_id: [], away.direct_id: []}
    away.connect_anew()
    watch = Stopwatch(installation.pids)
    watch.start()
    for _ in range(POSTS):
        for conversation_id, times in took.items():
            times.append(away.post(conversation_id))
    watch.stop()
    of_group, of_two = (times[POSTS_WARM_UP:] for times in took.values())
    figures = {"post_ratio": median(of_group) / median(of_two)} | spread("group", of_group) | spread("two", of_two)
    title = f"pushes: a POST to {members:,} against one to two"
    return Result(name, title, "post_ratio", POST_BAR, figures).measured_by(watch)


def _provider_settings(apns: Apns) -> dict[str, str]:
    given = apns.settings()
    return {
        "APNS_KEY": given["key"],
        "APNS_KEY_ID": given["key_id"],
        "APNS_TEAM_ID": given["team_id"],
        "APNS_TOPIC": given["topic"],
        "APNS_URL": given["url"],
        "APNS_SANDBOX_URL": given["sandbox_url"],
        "PROVIDERS_CA_FILE": given["ca_file"],
    }


def _end(worker: Worker) -> None:
    if worker.running:
        worker.kill()
