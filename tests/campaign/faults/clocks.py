"""Server processes whose clocks are an hour ahead and an hour behind."""

from __future__ import annotations

import asyncio
import email.utils
import time
import urllib.request

from tests.campaign.stage import Stage
from tests.campaign.world import Process
from tests.harness import binaries
from tests.harness.processes import DidNotStart

HOUR = 3600


async def clocks_apart(stage: Stage) -> None:
    """Start one process an hour ahead and one an hour behind, let them work, and start them with the right time."""
    library = str(binaries.libfaketime())
    apart = stage.dice.sample(stage.world.processes, 2)
    for process, offset in zip(apart, ("+1h", "-1h"), strict=True):
        await process.is_killed()
        try:
            await process.starts(LD_PRELOAD=library, FAKETIME=offset, FAKETIME_DONT_FAKE_MONOTONIC="1")
        except DidNotStart as why:
            stage.book.missed(f"clock {offset}")
            stage.book.wrong.append(f"a process whose clock is {offset} did not start: {str(why)[-1000:]}")
            continue
        error = await asyncio.to_thread(_clock_error, process)
        if abs(abs(error) - HOUR) < 10 and (error > 0) == (offset == "+1h"):
            stage.book.struck(f"clock {offset}")
        else:
            stage.book.missed(f"clock {offset}")
        stage.bring(process, len(stage.active()) // 3)
    await asyncio.sleep(stage.dice.uniform(4, 8))
    for process in apart:
        await process.is_killed()
        await process.starts()
    await stage.all_caught_up(stage.active())


def _clock_error(process: Process) -> float:
    """Return how many seconds a process is ahead, by the Date of an answer."""
    with urllib.request.urlopen(f"{process.server.http}/health", timeout=5) as answer:  # noqa: S310 - our own server
        said = email.utils.parsedate_to_datetime(answer.headers["Date"])
    return said.timestamp() - time.time()
