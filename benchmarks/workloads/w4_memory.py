"""W4, memory: the cost of an idle, signed-in connection in the server process, at 2,000 connections.

2,000 people in 1,000 direct conversations. The figure is the growth of the server's PSS, without the
kernel's memory for TCP connections. A few connections come and go before the first reading, so that
modules loaded by the first connection of a process are not counted.
"""

from __future__ import annotations

import asyncio

from benchmarks.clients import Crowd, Invalid
from benchmarks.result import Bar, Result
from benchmarks.subject import Places, Subject
from benchmarks.usage import Stopwatch, memory_kib

CONNECTIONS = 2_000
SIZES = [2] * (CONNECTIONS // 2)
WARM_UP = 40
IDLE_SECONDS = 5.0
BAR = Bar(first=40.0, target=36.0, at_least=False)


async def run(subject: Subject, places: Places) -> Result:
    """Measure."""
    pid = subject.server_pid
    if pid is None:
        raise Invalid("W4 needs a server process of its own: the memory of a given server is out of sight")
    idle_kib = memory_kib(pid)
    people = [place for conversation in places for place in conversation]
    crowd = Crowd(subject)
    await crowd.connect(people[-WARM_UP:])
    await crowd.settle()
    await crowd.leave()
    await asyncio.sleep(1)
    before_kib = memory_kib(pid)
    connecting = Stopwatch(subject.pids)
    connecting.start()
    await crowd.connect(people)
    await crowd.settle()
    connecting.stop()
    watch = Stopwatch(subject.pids)
    watch.start()
    await asyncio.sleep(IDLE_SECONDS)
    watch.stop()
    after_kib = memory_kib(pid)
    crowd.assert_faultless()
    await crowd.leave()
    figures = {
        "connection_kib": (after_kib - before_kib) / CONNECTIONS,
        "idle_process_mib": idle_kib / 1024,
        "process_mib": after_kib / 1024,
        "connects_per_s": CONNECTIONS / connecting.seconds,
        "connect_server_cpu_us": connecting.cpu["server"] / CONNECTIONS * 1e6,
    }
    title = f"memory: {CONNECTIONS} idle, signed-in connections"
    return Result("w4", title, "connection_kib", BAR, figures).measured_by(watch)
