"""Parts of the campaign under a small load: the fastest faults with every run of the tests, others before a release.

`make campaign` has all of them. The slowest are only there: clocks an hour apart, a full disk and PostgreSQL's
orderly restart.
"""

import sys
from dataclasses import replace

import pytest
import uvloop

from tests.campaign.conductor import KINDS, Conductor, Plan
from tests.campaign.episode import Size

LONG = Plan(
    seed=20,
    messages=8_000,
    faults=60,
    most_seconds=3_600,  # pytest ends it long before
    episode_seconds=1_000,
    drizzle=1.0,
    herd=120,
    deaf=40,
    processes=2,
    networks=3,
    size=Size(people=24, directs=24, groups=12, pause=1.0),
    # The same rules on a faster clock.
    limits={
        "heartbeat_seconds": 4,
        "heartbeat_timeout_seconds": 8,
        "server_ping_seconds": 7,
        "outbox_stuck_seconds": 3,
    },
    kinds=KINDS - {"clock +1h", "clock -1h", "disk full", "PostgreSQL restarted"},
    patient=False,
)
QUICK = replace(
    LONG,
    messages=500,
    faults=12,
    size=Size(people=12, directs=12, groups=6, pause=1.0),
    kinds=frozenset(
        {f"kill -9 at {point}" for point in ("before_commit", "after_commit", "mid_fanout")}
        | {f"wake-ups {fate}" for fate in ("dropped", "doubled", "reordered")}
        | {"kill -9 at random", "Redis killed", "PostgreSQL crashed and restarted"}
    ),
    is_quick=True,
)


def nothing_is_lost(plan: Plan) -> None:
    result = uvloop.run(Conductor(plan, say=lambda text: sys.stdout.write(f"{text}\n")).run())
    sys.stdout.write("\n".join(result.book.measures.violations()))
    assert result.violations() == []
    assert result.invalid() == []


@pytest.mark.timeout(1_200)
def test_the_fastest_faults_lose_nothing_acknowledged() -> None:
    nothing_is_lost(QUICK)


@pytest.mark.long
@pytest.mark.timeout(2_400)
def test_faults_that_strike_quickly_lose_nothing_acknowledged() -> None:
    nothing_is_lost(LONG)
