"""Soak: many connections and a steady flow of messages for minutes, every message checked; then the hostile part.

`python -m benchmarks.soak [--seconds 600] [--connections 5000] [--messages-per-second 500] [--rounds 15] [--kinds ...]`

All connections belong to direct pairs. Each message must be acknowledged, received once, in order. The memory of the
server (PSS) is read every few seconds; its slope is that of the least-squares line over the second half, when
caches and pools are full. Then the same flow runs alone and beside 100 hostile clients (`benchmarks.hostile`), in
alternating rounds. Their effect is the p99 of all rounds with them divided by that of all rounds without. One stall of
a disk decides the p99 of a few seconds; over many rounds it has little effect.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import time
from pathlib import Path

import uvloop

from benchmarks import report
from benchmarks.chatting import Chat, heartbeats
from benchmarks.clients import Crowd, Invalid
from benchmarks.hostile import KINDS, HostileClients
from benchmarks.installation import Installation
from benchmarks.result import Bar, Result, spread
from benchmarks.subject import Places
from benchmarks.usage import Stopwatch, allow_many_files, memory_kib

HOSTILE = 100
SAMPLE_SECONDS = 5.0
WARM_UP_SECONDS = 10.0
ROUND_SECONDS = 10.0
GROWTH_BAR = Bar(first=1.0, target=1.0, at_least=False)  # MiB per minute in a process of about 300
HOSTILE_BAR = Bar(first=1.1, target=1.1, at_least=False)


def main(arguments: list[str]) -> int:
    """Run the soak; return the exit code."""
    options = _parser().parse_args(arguments)
    installation = Installation()
    try:
        allow_many_files(options.connections + 1_000)
        installation.start()
        installation.environment["CHATSITE_LIMITS"] = "{}"  # the product's defaults, which must stop hostile clients
        sizes = {"soak": [2] * (options.connections // 2), "hostile": [2] * (HOSTILE // 2)}
        places = installation.populate(sizes)
        installation.fresh_server()
        gc.collect()
        gc.freeze()
        results = uvloop.run(_soak(installation, places["soak"], places["hostile"], options))
        installation.assert_clean_log()
    except Invalid as fault:
        print(f"soak: INVALID: {fault}", flush=True)
        return 1
    finally:
        installation.stop()
    print(report.details(results) + "\n\n" + report.as_table(results))
    print(f"\nwritten to {report.write_json(results, options.output)}")
    return 0 if all(result.bar.met(result.value, result.bar.target) for result in results) else 1


async def _soak(
    installation: Installation, pairs: Places, hostile: Places, options: argparse.Namespace
) -> list[Result]:
    crowd = Crowd(installation)
    people = await crowd.connect([place for pair in pairs for place in pair])
    await crowd.settle()
    chat = Chat(crowd, list(zip(people[::2], people[1::2], strict=True)), options.messages_per_second)
    beating = asyncio.ensure_future(heartbeats(people))
    chat.begin()
    await asyncio.sleep(WARM_UP_SECONDS)
    results = [await _held(installation, chat, options)]
    if options.rounds:
        results.append(await _beside_hostile(installation, chat, hostile, options))
    beating.cancel()  # the run ends when no frame comes any more
    await chat.end()
    await crowd.leave()
    results[0].figures["messages"] = chat.sent
    return results


async def _held(installation: Installation, chat: Chat, options: argparse.Namespace) -> Result:
    """Run the flow, and sample the server's memory."""
    pid = installation.server_pid
    assert pid is not None
    watch = Stopwatch(installation.pids)
    watch.start()
    chat.mark()
    begun = time.perf_counter()
    samples: list[tuple[float, float]] = []  # seconds, MiB
    while (now := time.perf_counter() - begun) < options.seconds:
        samples.append((now, memory_kib(pid) / 1024))
        await asyncio.sleep(min(SAMPLE_SECONDS, options.seconds - now))
        if chat.failed:
            break
    samples.append((time.perf_counter() - begun, memory_kib(pid) / 1024))
    watch.stop()
    second_half = samples[len(samples) // 2 :]
    slope = statistics.linear_regression(*zip(*second_half, strict=True)).slope if len(second_half) > 1 else 0.0
    figures = {
        "growth_mib_per_minute": slope * 60,
        "process_mib_first": samples[0][1],
        "process_mib_last": samples[-1][1],
        "process_mib_most": max(mib for _, mib in samples),
        "messages_per_s": len(chat.acknowledged) / watch.seconds,
    } | chat.figures("flow")
    title = (
        f"soak: {options.connections:,} connections, {options.messages_per_second} messages/s, {options.seconds:.0f} s"
    )
    return Result("soak", title, "growth_mib_per_minute", GROWTH_BAR, figures).measured_by(watch)


async def _beside_hostile(
    installation: Installation, chat: Chat, places: Places, options: argparse.Namespace
) -> Result:
    """Run the flow alone and beside hostile clients, in turns."""
    tokens = [place.token for pair in places for place in pair]
    hostile = await HostileClients.start(installation.url, tokens, options.kinds)
    waits: dict[str, list[float]] = {"alone_ack": [], "alone_received": [], "beside_ack": [], "beside_received": []}

    async def stretch(name: str) -> None:
        chat.mark()
        await asyncio.sleep(ROUND_SECONDS)
        waits[f"{name}_ack"] += chat.acknowledged
        waits[f"{name}_received"] += chat.received

    watch = Stopwatch(installation.pids | {"hostile clients": hostile.pid})
    watch.start()
    for _ in range(options.rounds):
        await stretch("alone")
        hostile.begin()
        await asyncio.sleep(2)
        await stretch("beside")
        hostile.end()
        await asyncio.sleep(2)
    watch.stop()
    await hostile.stop()
    figures: dict[str, float] = {}
    for name, times in waits.items():
        figures |= spread(name, times)
    figures = {"p99_ratio": figures["beside_received_p99_ms"] / figures["alone_received_p99_ms"]} | figures
    kinds = ", ".join(kind.replace("_", " ") for kind in options.kinds)
    title = f"beside {HOSTILE} hostile clients ({kinds}), {options.rounds} rounds each"
    return Result("soak_hostile", title, "p99_ratio", HOSTILE_BAR, figures).measured_by(watch)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--messages-per-second", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15, help="with and without hostile clients; 0: leave that out")
    names = [kind.__name__ for kind in KINDS]
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, help="of hostile clients")
    parser.add_argument("--output", type=Path, help="where to write the JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
