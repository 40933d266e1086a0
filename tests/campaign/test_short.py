"""A part of the campaign with every run of the tests: each fault that strikes quickly, once, under a small load.

Clocks an hour apart, a full disk and PostgreSQL's orderly restart take longer: `make campaign` has them.
"""

import sys

import pytest
import uvloop

from tests.campaign.conductor import KINDS, Conductor, Plan
from tests.campaign.episode import Size

PLAN = Plan(
    seed=20,
    messages=8_000,
    faults=60,
    most_seconds=600,
    episode_seconds=400,
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


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_whatever_fails() -> None:
    result = uvloop.run(Conductor(PLAN, say=lambda text: sys.stdout.write(f"{text}\n")).run())
    sys.stdout.write("\n".join(result.book.measures.violations()))
    assert result.violations() == []
    assert result.invalid() == []
