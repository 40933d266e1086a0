"""Pairs that chat at a steady rate, while the server has another load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from benchmarks.clients import Client, Crowd, Invalid, new_message_id
from benchmarks.result import spread

HEARTBEAT_SECONDS = 25.0


class Chat:
    """Pairs whose first member sends to the second, in turn, at a total rate of messages per second; each is checked.

    Send times are fixed, however slow the answers: a stall of the server delays all messages of that time.
    `mark` begins a new period of measuring.
    """

    def __init__(self, crowd: Crowd, pairs: Sequence[tuple[Client, Client]], per_second: float) -> None:
        self._crowd = crowd
        self._pairs = pairs
        self._spacing = 1 / per_second
        self._sent: dict[str, float] = {}
        self._open: dict[str, int] = {}  # how many of acknowledgement and delivery are missing
        self._ending = False
        self._talking: asyncio.Task[None] | None = None
        self.sent = 0
        self.acknowledged: list[float] = []
        self.received: list[float] = []
        for sender, receiver in pairs:
            sender.on_ack = self._on_ack
            receiver.on_message = self._on_message

    def begin(self) -> None:
        """Start sending."""
        self._talking = asyncio.ensure_future(self._talk())

    def mark(self) -> None:
        """Discard the times measured so far."""
        self.acknowledged, self.received = [], []

    def figures(self, name: str) -> dict[str, float]:
        """Return median and p99 of the latencies since the mark, in milliseconds."""
        return spread(f"{name}_ack", self.acknowledged) | spread(f"{name}_received", self.received)

    @property
    def failed(self) -> bool:
        """Whether a fault was found already."""
        return bool(self._crowd.faults)

    async def end(self) -> None:
        """Stop, and wait until every message was acknowledged and received.

        :raises Invalid: one was not, or came twice, or out of order.
        """
        self._ending = True
        assert self._talking is not None
        await self._talking
        await self._crowd.until(lambda: not self._open, "messages and their acknowledgements")
        await self._crowd.settle()
        self._crowd.assert_faultless()
        heard = sum(receiver.messages for _, receiver in self._pairs)
        if heard != self.sent:
            raise Invalid(f"{self.sent} messages were sent, {heard} heard")

    async def _talk(self) -> None:
        begun = time.perf_counter()
        while not self._ending:
            await asyncio.sleep(max(0.0, begun + self.sent * self._spacing - time.perf_counter()))
            message_id = new_message_id()
            sender, _ = self._pairs[self.sent % len(self._pairs)]
            self.sent += 1
            self._open[message_id] = 2
            self._sent[message_id] = time.perf_counter()
            sender.send_message(message_id)

    def _on_ack(self, _client: Client, message_id: str, now: float) -> None:
        self.acknowledged.append(now - self._sent[message_id])
        self._settle(message_id)

    def _on_message(self, _client: Client, message_id: str, now: float) -> None:
        self.received.append(now - self._sent[message_id])
        self._settle(message_id)

    def _settle(self, message_id: str) -> None:
        self._open[message_id] -= 1
        if not self._open[message_id]:
            del self._open[message_id], self._sent[message_id]


async def heartbeats(people: Sequence[object]) -> None:
    """Let every client ping as the protocol requires, spread over the interval."""
    while True:
        for client in people:
            client.send_text(b'{"type":"ping"}')  # type: ignore[attr-defined]
            await asyncio.sleep(HEARTBEAT_SECONDS / len(people))
