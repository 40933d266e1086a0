"""Server processes die: with SIGKILL at every crash point and at any other moment, and with SIGTERM one by one."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from time import monotonic

from tests.campaign.device import Device
from tests.campaign.stage import Stage
from tests.campaign.world import Process
from tests.harness.processes import DidNotStart
from tests.waiting import DEADLINE

# Crash points, and within how many passes the process dies: some are passed for each frame or delivery.
POINTS = {
    "parsed": 60,
    "after_lock": 30,
    "after_insert": 30,
    "before_commit": 30,
    "after_commit": 30,
    "before_ack": 60,
    "before_publish": 30,
    "mid_fanout": 200,
}
STEADY_WAIT = 8.0  # seconds; longer waits mean five cuts, each within ten seconds
COME = 8  # devices that come to the process which is about to die


async def kill_at(stage: Stage, points: list[str]) -> None:
    """Let one process die at these crash points, one after the other, under load."""
    process = stage.dice.choice(stage.world.processes)
    await kill_at_random(stage, process, restart=False)
    for point in points:
        passes = stage.dice.randint(1, POINTS[point])
        # It may get load and die before we see it ready: then only its exit is checked.
        with suppress(DidNotStart):
            await process.starts(CHATSITE_CRASH_POINT=f"{point}@{passes}")
        stage.bring(process, COME)
        here: list[Device] = []
        until = monotonic() + DEADLINE
        while process.server.running and monotonic() < until:
            here = stage.devices_at(process) or here
            await asyncio.sleep(0.005)
        died_at = monotonic()
        if process.server.running:
            stage.book.missed(f"kill -9 at {point}")
            await process.is_killed()
            continue
        if process.server.program.exit_code != -signal.SIGKILL:
            stage.book.wrong.append(f"a process ended by itself with {process.server.program.exit_code}")
        stage.book.struck(f"kill -9 at {point}")
        await _measure_recovery(stage, here, died_at)
    await _comes_back(stage, process)


async def kill_at_random(stage: Stage, process: Process | None = None, *, restart: bool = True) -> None:
    """Kill a process at a random moment."""
    process = process or stage.dice.choice(stage.world.processes)
    here = stage.devices_at(process)
    await process.is_killed()
    died_at = monotonic()
    stage.book.struck("kill -9 at random")
    await _measure_recovery(stage, here, died_at)
    if restart:
        await _comes_back(stage, process)


async def _measure_recovery(stage: Stage, devices: list[Device], since: float) -> None:
    # After repeated cuts a client waits longer, as it should; such clients are not measured.
    with stage.no_small_faults():
        steady = [device for device in devices if device.line.longest_wait <= STEADY_WAIT]
        stage.book.details["kill -9: clients cut off again and again, not measured"] += len(devices) - len(steady)
        recoveries = await stage.recoveries(steady, since)
    stage.measures.add("kill -9: clients re-attached and caught up", recoveries, p95=5.0, most=15.0)


async def _comes_back(stage: Stage, process: Process) -> None:
    begun = monotonic()
    await process.starts()
    stage.measures.add("a killed process starts again, without repair", [monotonic() - begun])
    stage.bring(process, len(stage.active()) // len(stage.world.processes))


async def rolling(stage: Stage) -> None:
    """End every process with SIGTERM and start it again, one after the other, under load."""
    async with stage.calm():
        for process in stage.world.processes:
            begun = monotonic()
            here = stage.devices_at(process)
            code = await asyncio.to_thread(process.server.terminate)
            gone = monotonic()
            if code not in (0, -signal.SIGTERM):
                stage.book.wrong.append(f"SIGTERM ended a process with {code}")
            stage.book.struck("SIGTERM, rolling")
            stage.measures.add("SIGTERM: process gone", [gone - begun], most=30.0)
            stage.measures.add("SIGTERM: clients re-attached and caught up", await stage.recoveries(here, begun))
            ended = monotonic()
            await process.starts()
            stage.measures.add("SIGTERM: written until acknowledged, all clients", stage.waits(begun, ended), p99=1.0)
            stage.measures.add("SIGTERM: messages sent more than once", [stage.repeated(begun, ended)], unit="messages")
            stage.expect_no_failed_send("SIGTERM", begun, ended)
            stage.bring(process, len(stage.active()) // len(stage.world.processes))
            await stage.all_caught_up(stage.active())
