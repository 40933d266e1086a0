"""A group of 100,000: the cost of a message for its sender, and the time until all members are decided.

One in a hundred has an iPhone. First the sender's POST to the group and to one person are timed in turns, without a
worker; then a worker decides the members of a message in chunks, and pushes.
"""

from __future__ import annotations

import contextlib

from benchmarks.installation import Installation
from benchmarks.result import Bar, Result
from benchmarks.usage import Stopwatch
from benchmarks.workloads.push import everybody_away, posts, started_worker

MEMBERS, DEVICES = 100_000, 1_000
BAR = Bar(first=60.0, target=30.0, at_least=False)


async def run(installation: Installation) -> list[Result]:
    """Measure."""
    with contextlib.ExitStack() as stack:
        beside, away, _ = everybody_away(installation, stack, members=MEMBERS, devices=DEVICES)
        results = [posts(beside, away, "large_group_posts", MEMBERS)]
        away.forgets_what_was_sent()
        worker = started_worker("worker", beside, stack)
        watch = Stopwatch(beside.pids | {"worker": worker.program.pid})
        watch.start()
        first, last, decided = await away.pushes()
        watch.stop()
        title = f"pushes: {MEMBERS:,} members decided about, of whom {DEVICES:,} have a device"
        figures = {"decided_s": decided, "first_push_s": first, "last_push_s": last}
        results.append(Result("large_group", title, "decided_s", BAR, figures).measured_by(watch))
        beside.assert_clean_log()
        return results
