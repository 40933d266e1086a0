"""One point of a curve: a fresh server, connected people, the load, and its cost."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.clients import Client, Crowd, new_message_id, within_timeout
from benchmarks.curves.axes import Point
from benchmarks.installation import Installation
from benchmarks.result import spread
from benchmarks.subject import Places
from benchmarks.usage import Stopwatch, memory_kib

WARM_UP_SECONDS = 2.0


class Talk:
    """One conversation with one sender, who sends each message when all members have the one before."""

    def __init__(self, members: list[Client]) -> None:
        self.sender, self._size = members[0], len(members)
        self.waits: list[float] = []  # seconds from sending to the last member and the acknowledgement
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._missing, self._message_id, self._sent_at, self._until = 0, "", 0.0, 0.0
        self.sender.on_ack = self._count
        for member in members:
            member.on_message = self._count

    def begin(self, until: float) -> None:
        """Send until that time; `stopped` is set when the last message has arrived."""
        self.waits, self._until = [], until
        self.stopped = asyncio.get_running_loop().create_future()
        self._send()

    def _send(self) -> None:
        self._message_id, self._missing = new_message_id(), self._size + 1
        self._sent_at = time.perf_counter()
        self.sender.send_message(self._message_id)

    def _count(self, client: Client, message_id: str, now: float) -> None:
        if message_id != self._message_id:
            client.faults.append("another message came than the one that was sent")
        self._missing -= 1
        if not self._missing:
            self.waits.append(now - self._sent_at)
            if now < self._until:
                self._send()
            else:
                self.stopped.set_result(None)


async def measured(installation: Installation, point: Point, talking: Places, idle: Places, seconds: float) -> dict:
    """Return the figures of one point.

    :raises Invalid: a message was lost, doubled or reordered.
    """
    crowd = Crowd(installation)
    talks = [Talk(await crowd.connect(places)) for places in talking]
    await crowd.connect([place for pair in idle for place in pair])
    await crowd.settle()

    async def talk(span: float) -> None:
        until = time.perf_counter() + span
        for each in talks:
            each.begin(until)
        for each in talks:
            await within_timeout(each.stopped, crowd)

    await talk(WARM_UP_SECONDS)
    watch = Stopwatch(installation.pids)
    watch.start()
    await talk(seconds)
    watch.stop()
    await crowd.settle()
    crowd.assert_faultless()
    await crowd.leave()
    waits = [wait for each in talks for wait in each.waits]
    members = len(talking[0])
    assert installation.server_pid is not None
    figures: dict[str, Any] = {"x": point.x, "messages_per_s": len(waits) / watch.seconds}
    figures |= {"deliveries_per_s": figures["messages_per_s"] * members, **spread("last_member", waits)}
    figures |= {f"{name}_cpu_per_message_us": watch.cpu[name] / len(waits) * 1e6 for name in installation.pids}
    return figures | {"cpu_shares": watch.shares, "server_mib": memory_kib(installation.server_pid) / 1024}
