"""Apple is down for minutes while people write: `python -m tests.pushing.outage --minutes 5`, or `make outage`.

Ana writes to groups of her, Ben with an iPhone and Cat with an Android phone. Before the outage and amid it are
compared: what her requests take, and how soon the pushes are at Google. Half of the outage nobody listens at Apple's
address, half of it somebody takes connections and says nothing. Afterwards the newest message of every conversation
must be on Ben's phone, once, and each push to Cat have been sent; a fault ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from statistics import median
from typing import Any

from benchmarks.result import percentile
from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.product import SETTINGS
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.services import Services
from tests.pushing.failures import each_once, no_task_failed, shown_on
from tests.pushing.stage import TIMINGS, Providers, Stage, becomes, has_android, has_iphone, writes

TALKS = 40
PAUSE_SECONDS = 0.25
BEFORE_SECONDS = 60.0
# A breaker lets a push through every 30 s to see whether the provider is back.
TIMEOUT = 90.0


class Writer:
    """Ana, who writes to her conversations in turn, and notes when and how long that took."""

    def __init__(self, device: Device, talks: list[Any]) -> None:
        self.device = device
        self.talks = talks
        self.written: dict[str, float] = {}
        self.newest: dict[str, str] = {}
        self.took: list[float] = []

    async def writes_for(self, seconds: float) -> None:
        """Write a message every `PAUSE_SECONDS`, for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            talk = self.talks[len(self.written) % len(self.talks)]
            at, begun = time.time(), time.perf_counter()
            message = await writes(self.device, talk)
            self.took.append(time.perf_counter() - begun)
            self.written[message["id"]] = at
            self.newest[talk["id"]] = message["id"]
            await asyncio.sleep(max(0.0, PAUSE_SECONDS - self.took[-1]))


async def run(stage: Stage, seconds: float) -> None:
    """Take Apple down for so long; print how that affected others.

    :raises AssertionError: something was lost, doubled, or held up by the outage.
    """
    apns, fcm = stage.providers.apns, stage.providers.fcm
    healthy = no_task_failed(stage)
    async with People(stage.site)("ana", "ben", "cat", connected=False) as (ana, ben, cat):
        phone, android = await has_iphone(ben, apns), await has_android(cat, fcm)
        writer = Writer(ana, [await ana.gathers(ben, cat) for _ in range(TALKS)])
        await writer.writes_for(BEFORE_SECONDS)
        before = set(writer.written)
        requests_before, writer.took = writer.took, []
        apns.stop()
        await writer.writes_for(seconds / 2)
        apns.start()
        apns.freeze()
        await writer.writes_for(seconds / 2)
        amid = set(writer.written) - before
        assert stage.outcomes(ben).count("sent") <= len(before), "Apple was not dead"
        back_at = time.monotonic()
        apns.thaw()
        await becomes(
            lambda: {"send", "later"}.isdisjoint(stage.outcomes(ben)), lambda: stage.description(ben), timeout=TIMEOUT
        )
        settled = time.monotonic() - back_at
        assert stage.outcomes(cat) == ["sent"] * len(writer.written), stage.description(cat)
        assert set(stage.outcomes(ben)) <= {"sent", "superseded"}, stage.description(ben)
        assert shown_on(apns, phone).keys() == each_once(writer.talks).keys(), "a conversation is not on the phone"
        last = {push.payload["conversation_id"]: push.payload["message_id"] for push in apns.delivered(phone)}
        assert last == writer.newest, "what the phone shows is not the newest"
        at_google = {push.payload["message"]["data"]["message_id"]: push.at for push in fcm.delivered(android)}
        waited = {id: at_google[id] - at for id, at in writer.written.items()}
    healthy()
    _say(f"{len(before)} messages before the outage, {len(amid)} in its {seconds:.0f} s; every check held")
    _say(f"Apple's pushes, all settled after its return: {settled:.1f} s")
    delay = float(TIMINGS["PUSH_DELAY_SECONDS"])
    _compare("request of the sender", requests_before, writer.took)
    _compare(
        f"push at Google, after the delay of {delay:g} s",
        [waited[id] - delay for id in before],
        [waited[id] - delay for id in amid],
    )


def _compare(what: str, before: list[float], amid: list[float]) -> None:
    _say(f"{what}, ms before and amid:")
    for name, of in (("median", median), ("p99", lambda times: percentile(times, 99)), ("worst", max)):
        _say(f"    {name:8}{of(before) * 1e3:8.0f}{of(amid) * 1e3:8.0f}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.pushing.outage", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    minutes = parser.parse_args(arguments).minutes
    for name in SETTINGS:
        os.environ.pop(name, None)
    services, providers, rabbitmq = Services(), Providers(), RabbitMQ()
    stage = None
    try:
        services.start()
        providers.start()
        rabbitmq.start()
        stage = Stage("production", services, providers, broker="rabbitmq", rabbitmq=rabbitmq)
        stage.start()
        asyncio.run(run(stage, minutes * 60))
    except AssertionError as fault:
        _say(f"FAULT: {fault}")
        return 1
    finally:
        if stage is not None:
            stage.stop()
        rabbitmq.stop()
        providers.stop()
        services.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
