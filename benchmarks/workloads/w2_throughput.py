"""W2, throughput: 50 pairs, each with one message outstanding, 15 s.

A message is complete when it was acknowledged, received by the other of the pair, and returned to its sender's own
socket (if the server does that); only then the pair sends the next one.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.clients import Client, Crowd, new_message_id, within_timeout
from benchmarks.result import Bar, Result, spread
from benchmarks.subject import Places, Subject
from benchmarks.usage import Stopwatch

PAIRS = 50
SIZES = [2] * PAIRS
SECONDS = 15.0
WARM_UP_SECONDS = 3.0
BAR = Bar(first=3_200, target=8_000, at_least=True)


class Pair:
    """A sender, a receiver, and the one message between them."""

    def __init__(self, sender: Client, receiver: Client, faults: list[str]) -> None:
        self.sender, self.receiver = sender, receiver
        self.sent = 0
        self.received: list[float] = []  # seconds from sending, one per message
        self.acknowledged: list[float] = []
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._faults = faults
        self._missing = 0
        self._message_id = ""
        self._sent_at = self._until = 0.0
        sender.on_ack = self._on_ack
        sender.on_message = receiver.on_message = self._on_message

    def talk(self, until: float) -> None:
        """Send message after message until that time; `stopped` is set when the last one is complete."""
        self._until = until
        self.stopped = asyncio.get_running_loop().create_future()
        self._send()

    def check(self) -> None:
        """Add a fault unless both sides received every message exactly once."""
        if (self.sender.messages, self.receiver.messages) != (self.sent * self.sender.hears_itself, self.sent):
            self._faults.append(
                f"of {self.sent} messages a pair heard {self.sender.messages}, {self.receiver.messages}"
            )

    def _send(self) -> None:
        self._message_id = new_message_id()
        self._missing = 2 + self.sender.hears_itself
        self.sent += 1
        self._sent_at = time.perf_counter()
        self.sender.send_message(self._message_id)

    def _on_ack(self, _client: Client, message_id: str, now: float) -> None:
        self.acknowledged.append(now - self._sent_at)
        self._count(message_id, now)

    def _on_message(self, client: Client, message_id: str, now: float) -> None:
        if client is self.receiver:
            self.received.append(now - self._sent_at)
        self._count(message_id, now)

    def _count(self, message_id: str, now: float) -> None:
        if message_id != self._message_id or not self._missing:
            self._faults.append("a message or an acknowledgement came that nobody waited for")
            return
        self._missing -= 1
        if not self._missing:
            if now < self._until:
                self._send()
            else:
                self.stopped.set_result(None)


async def run(subject: Subject, places: Places) -> Result:
    """Measure."""
    crowd = Crowd(subject)
    clients = await crowd.connect([place for people in places for place in people])
    pairs = [Pair(sender, receiver, crowd.faults) for sender, receiver in zip(clients[::2], clients[1::2], strict=True)]
    await crowd.settle()

    async def talk(seconds: float) -> None:
        until = time.perf_counter() + seconds
        for pair in pairs:
            pair.received, pair.acknowledged = [], []
            pair.talk(until)
        await asyncio.sleep(seconds)
        for pair in pairs:
            await within_timeout(pair.stopped, crowd)

    await talk(WARM_UP_SECONDS)
    watch = Stopwatch(subject.pids)
    watch.start()
    await talk(SECONDS)
    watch.stop()
    await crowd.settle()
    for pair in pairs:
        pair.check()
    crowd.assert_faultless()
    await crowd.leave()
    received = [seconds for pair in pairs for seconds in pair.received]
    acknowledged = [seconds for pair in pairs for seconds in pair.acknowledged]
    figures = {"messages_per_s": len(received) / watch.seconds}
    figures |= spread("received", received) | spread("acknowledged", acknowledged)
    figures |= {
        f"{name}_cpu_per_message_us": used / len(received) * 1e6
        for name, used in watch.cpu.items()
        if name in subject.pids
    }
    title = f"throughput: {PAIRS} pairs, one message outstanding each, {SECONDS:.0f} s"
    return Result("w2", title, "messages_per_s", BAR, figures).measured_by(watch)
