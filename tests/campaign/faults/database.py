"""PostgreSQL restarts, loses backends, is cut off in the middle of a COMMIT; a process freezes in a transaction."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from time import monotonic

import psycopg

from tests.campaign.stage import Stage
from tests.campaign.world import Process
from tests.harness.proxy import Direction, Filter, Link

STARTUP = (196608).to_bytes(4, "big")  # version 3.0 of the protocol; before it a client may ask for TLS


class Scissors:
    """Cuts the connection to PostgreSQL on which the next COMMIT travels: `filter` is what proxies take."""

    def __init__(self, dice: random.Random) -> None:
        self.open = 0
        self.counts: Counter[str] = Counter()
        self._dice = dice

    def filter(self, link: Link) -> Filter:
        """Make the filter of one connection."""
        return _Commits(link, self)

    def cuts(self) -> str | None:
        """Return how to cut at this COMMIT; None to let it pass."""
        if not self.open:
            return None
        self.open -= 1
        how = self._dice.choice(("before", "after"))
        self.counts[how] += 1
        return how


class _Commits(Filter):
    """Reads what a client sends to PostgreSQL far enough to recognise a COMMIT, prepared or not."""

    def __init__(self, link: Link, scissors: Scissors) -> None:
        super().__init__(link)
        self._scissors = scissors
        self._deaf = False
        self._started = False  # the messages before that carry no type
        self._rest = b""
        self._names: set[bytes] = set()  # of prepared COMMITs

    def passes(self, data: bytes, direction: Direction) -> bytes:
        if self._deaf:
            return b""  # swallow the answer to the COMMIT
        if direction == "up" and self._commits(data):
            how = self._scissors.cuts()
            if how == "before":
                self.link.cut()
                return b""
            if how == "after":
                # The COMMIT arrives; its answer does not.
                self._deaf = True
                asyncio.get_running_loop().call_later(0.05, self.link.cut)
        return data

    def _commits(self, data: bytes) -> bool:
        """Parse bytes from the client; return whether they contain a COMMIT."""
        data, found, at = self._rest + data, False, 0
        while True:
            head = 1 if self._started else 0
            if len(data) - at < head + 4:
                break
            end = at + head + int.from_bytes(data[at + head : at + head + 4], "big")
            if end > len(data):
                break
            kind, body = data[at : at + head], data[at + head + 4 : end]
            if not head:
                self._started = body[:4] == STARTUP
            elif kind == b"Q":
                found |= body == b"COMMIT\0"
            elif kind == b"P":
                name, query, _ = body.split(b"\0", 2)
                (self._names.add if query == b"COMMIT" else self._names.discard)(name)
            elif kind == b"B":
                found |= body.split(b"\0", 2)[1] in self._names
            at = end
        self._rest = data[at:]
        return found


async def restart(stage: Stage, *, crash: bool) -> None:
    """Restart PostgreSQL: in order, or by a crash and its recovery."""
    postgresql = stage.world.services.postgresql
    async with stage.calm():
        begun = monotonic()
        if crash:
            await asyncio.to_thread(postgresql.program.stop, signal.SIGQUIT)
        else:
            await asyncio.to_thread(postgresql.stop)
        await asyncio.sleep(stage.dice.uniform(0, 1.5))
        await asyncio.to_thread(postgresql.start)
        accepts_at = monotonic()
        stage.book.struck("PostgreSQL crashed and restarted" if crash else "PostgreSQL restarted")
        first = await stage.first_ack_after(accepts_at)
        stage.measures.add("PostgreSQL accepts: first acknowledgement", [first], most=3.0)
        await stage.all_caught_up(stage.active())
        stage.measures.add("PostgreSQL accepts: all caught up", [monotonic() - accepts_at])
        stage.expect_no_failed_send("database away", begun, monotonic())


async def kill_backend(stage: Stage) -> None:
    """End one of the connections of the server processes inside PostgreSQL."""
    if await asyncio.to_thread(_terminate_one, stage):
        stage.book.struck("backend terminated")
    else:
        stage.book.missed("backend terminated")


def _terminate_one(stage: Stage) -> bool:
    try:
        with stage.world.services.postgresql.connect(stage.world.database) as connection:
            ids = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'chatsite' AND datname = current_database()"
                " ORDER BY backend_start"
            ).fetchall()
            if not ids:
                return False
            return connection.execute("SELECT pg_terminate_backend(%s)", stage.dice.choice(ids)).fetchone() == (True,)
    except psycopg.OperationalError:
        return False  # the database is down now


async def cut_at_commit(stage: Stage, scissors: Scissors) -> None:
    """Cut the connection on which the next COMMIT travels, before or after it arrived."""
    before = Counter(scissors.counts)
    scissors.open = 1
    until = monotonic() + 3
    while scissors.open and monotonic() < until and not stage.is_calm:
        await asyncio.sleep(0.005)
    scissors.open = 0
    struck = scissors.counts - before
    for how, number in struck.items():
        stage.book.struck(f"cut {how} COMMIT arrived", number)
    if not struck:
        stage.book.missed("cut at COMMIT")


async def freeze_in_transaction(stage: Stage) -> None:
    """Stop a process (SIGSTOP) while one of its transactions is open, and let it go on after that was ended."""
    process = stage.dice.choice(stage.world.processes)
    async with stage.calm():
        stage.bring(process, len(stage.active()) // 2)
        await stage.all_caught_up(stage.active())
        # A request over REST may be at the frozen process, and would not measure the others.
        stage.crowd.share_by_rest, share = 0.0, stage.crowd.share_by_rest
        await asyncio.sleep(1)  # until those under way are answered
        for _ in range(200):
            await asyncio.sleep(stage.dice.uniform(0.001, 0.02))
            process.server.program.freeze()
            if await asyncio.to_thread(_is_in_transaction, stage, process):
                break
            process.server.program.thaw()
        else:
            stage.book.missed("SIGSTOP in a transaction")
            stage.crowd.share_by_rest = share
            return
        begun = monotonic()
        stage.book.struck("SIGSTOP in a transaction")
        here = set(stage.devices_at(process))
        await asyncio.sleep(7 if stage.patient else 6)  # the fault itself: its transaction is ended after 5
        process.server.program.thaw()
        ended = monotonic()
        stage.crowd.share_by_rest = share
        others = [device for device in stage.active() if device not in here]
        first = await stage.first_ack_after(ended)
        await asyncio.sleep(2)  # a request still open is answered, or counts as waiting
        stage.measures.add(
            "SIGSTOP: others' wait for their acknowledgement", stage.waits(begun, ended, others), most=6.0
        )
        stage.measures.add("SIGSTOP: thawed until the first acknowledgement", [first])
        kept = [device for device in here if not stage.has_closed(device, begun)]
        stage.measures.add("SIGSTOP: sockets that the thawed process kept", [len(kept)], unit="sockets", most=0)
        stage.expect_no_failed_send("database away", begun, monotonic())
    await stage.all_caught_up(stage.active())


def _is_in_transaction(stage: Stage, process: Process) -> bool:
    """Whether PostgreSQL waits for this process, which is stopped, to go on with a transaction that holds locks."""
    ports = [port for link in process.database.links if (port := link.server.local_port) is not None]
    with stage.world.services.postgresql.connect(stage.world.database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity a WHERE client_port = ANY(%s) "
            "AND (state = 'idle in transaction' OR state = 'active' AND wait_event = 'ClientRead') "
            "AND EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.mode = 'RowShareLock')",
            [ports],
        ).fetchone()
    return row is not None and row[0] != 0
