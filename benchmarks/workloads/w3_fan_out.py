"""W3, fan-out: one conversation with 500 connected receivers, 100 messages in a closed loop.

Each message is sent when the last receiver has the one before, and the sender its own copy and the
acknowledgement. Only deliveries to the 500 receivers count.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.clients import Client, Crowd, new_message_id, within_timeout
from benchmarks.result import Bar, Result, spread
from benchmarks.subject import Places, Subject
from benchmarks.usage import Stopwatch

RECEIVERS = 500
SIZES = [RECEIVERS + 1]
MESSAGES = 100
MESSAGES_TO_PROFILE = 1_500
WARM_UP = 50  # a pool of ten connections prepares its statements one by one
BAR = Bar(first=50_000, target=110_000, at_least=True)


class Round:
    """One message and its deliveries."""

    def __init__(self, sender: Client, receivers: list[Client], faults: list[str]) -> None:
        self.sender = sender
        self.first = self.last = self.own = 0.0  # seconds from sending
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._receivers = len(receivers)
        self._faults = faults
        self._missing = self._missing_here = 0
        self._message_id = ""
        sender.on_ack = sender.on_message = self._on_senders_side
        for receiver in receivers:
            receiver.on_message = self._on_message

    def begin(self) -> None:
        """Send the next message; `done` is set when it has arrived everywhere."""
        self.done = asyncio.get_running_loop().create_future()
        self._missing, self._missing_here = self._receivers, 1 + self.sender.hears_itself
        self._message_id = new_message_id()
        self._sent_at = time.perf_counter()
        self.sender.send_message(self._message_id)

    def _on_message(self, _client: Client, message_id: str, now: float) -> None:
        if message_id != self._message_id:
            self._faults.append("another message came than the one that was sent")
        if self._missing == self._receivers:
            self.first = now - self._sent_at
        self._missing -= 1
        if not self._missing:
            self.last = now - self._sent_at
            self._finish()

    def _on_senders_side(self, _client: Client, message_id: str, now: float) -> None:
        if message_id != self._message_id:
            self._faults.append("the sender got another message or acknowledgement than its own")
        self._missing_here -= 1
        self.own = now - self._sent_at
        self._finish()

    def _finish(self) -> None:
        if not self._missing and not self._missing_here:
            self.done.set_result(None)


async def run(subject: Subject, places: Places) -> Result:
    """Measure."""
    crowd = Crowd(subject)
    sender, *receivers = await crowd.connect(places[0])
    await crowd.settle()
    round_ = Round(sender, receivers, crowd.faults)
    first: list[float] = []
    last: list[float] = []

    async def talk(count: int) -> None:
        for _ in range(count):
            round_.begin()
            await within_timeout(round_.done, crowd)
            first.append(round_.first)
            last.append(round_.last)

    await talk(WARM_UP)
    first.clear()
    last.clear()
    watch = Stopwatch(subject.pids)
    watch.start()
    await talk(MESSAGES)
    watch.stop()
    await crowd.check(WARM_UP + MESSAGES, crowd.clients if sender.hears_itself else receivers)
    await crowd.leave()
    figures = {"deliveries_per_s": MESSAGES * RECEIVERS / watch.seconds}
    figures |= spread("last_receiver", last) | spread("first_receiver", first)
    if "server" in watch.cpu:
        figures["server_cpu_per_delivery_us"] = watch.cpu["server"] / (MESSAGES * RECEIVERS) * 1e6
    title = f"fan-out: {RECEIVERS} receivers, {MESSAGES} messages in a closed loop"
    return Result("w3", title, "deliveries_per_s", BAR, figures).measured_by(watch)
