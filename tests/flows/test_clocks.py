"""A server process with a wrong clock: it sends the times of the database, as every other process does."""

import asyncio
import datetime
from collections.abc import Callable

import pytest

from tests.harness import binaries
from tests.harness.people import People
from tests.harness.servers import Site

# Seconds between two searches of a process for expired presence leases.
LOOK_SECONDS = 2.0


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
async def test_a_process_with_a_wrong_clock_sends_the_right_time(starts_site: Callable[..., Site], offset: str) -> None:
    site = starts_site("production")
    wrong, right = site.servers[:2]
    library = str(binaries.libfaketime())
    settings = {"LD_PRELOAD": library, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    await asyncio.to_thread(lambda: wrong.restart(**settings))
    async with People(site)("ana", "ben", connected=False) as (ana, ben):
        connected = await ana.connects(server=wrong)
        await ben.connects(server=right)
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("what time is it?", to=conversation)
        heard = await ben.receives("new_message", content="what time is it?")
        synced = await ana.asks("sync", cursors={conversation["id"]: ack["sequence"]})
        for time in (connected["server_time"], heard["message"]["created_at"], synced["server_time"]):
            off = datetime.datetime.fromisoformat(time) - datetime.datetime.now(datetime.UTC)
            assert abs(off.total_seconds()) < 60
        # Both processes search for expired leases; there are none.
        await asyncio.sleep(2 * LOOK_SECONDS + 1)
        for device, other in ((ana, ben), (ben, ana)):
            profile = await device.gets(f"/users/{other.id}/profile")
            assert profile["presence"]["status"] == "online"
