"""W1, latency: one sender, one receiver, 300 messages 20 ms apart; from sending to receiving."""

from __future__ import annotations

import asyncio
import time

from benchmarks.clients import Client, Crowd, new_message_id
from benchmarks.result import Bar, Result, spread
from benchmarks.subject import Places, Subject
from benchmarks.usage import Stopwatch

SIZES = [2]
MESSAGES = 300
WARM_UP = 50
SPACING = 0.020  # seconds
BAR = Bar(first=2.8, target=2.0, at_least=False)


async def run(subject: Subject, places: Places) -> Result:
    """Measure; the send times are fixed in advance, so a slow answer does not thin the load."""
    crowd = Crowd(subject)
    sender, receiver = await crowd.connect(places[0])
    await crowd.settle()
    sent: dict[str, float] = {}
    received: list[float] = []
    acknowledged: list[float] = []

    def on_message(_client: Client, message_id: str, now: float) -> None:
        received.append(now - sent[message_id])

    def on_ack(_client: Client, message_id: str, now: float) -> None:
        acknowledged.append(now - sent[message_id])

    receiver.on_message, sender.on_ack = on_message, on_ack

    async def talk(count: int) -> None:
        begun = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(max(0.0, begun + number * SPACING - time.perf_counter()))
            message_id = new_message_id()
            sent[message_id] = time.perf_counter()
            sender.send_message(message_id)
        await crowd.until(lambda: len(received) == len(acknowledged) == len(sent), "messages and their acks")

    await talk(WARM_UP)
    received.clear()
    acknowledged.clear()
    sent.clear()
    watch = Stopwatch(subject.pids)
    watch.start()
    await talk(MESSAGES)
    watch.stop()
    await crowd.check(WARM_UP + MESSAGES, [sender, receiver] if sender.hears_itself else [receiver])
    await crowd.leave()
    figures = spread("received", received) | spread("acknowledged", acknowledged)
    title = f"latency: {MESSAGES} messages {SPACING * 1e3:.0f} ms apart, one to one"
    return Result("w1", title, "received_p50_ms", BAR, figures).measured_by(watch)
