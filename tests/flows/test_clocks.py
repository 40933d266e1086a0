"""A server process whose clock is wrong: the times that it tells are the database's, as everybody else's are."""

import asyncio
import datetime
from collections.abc import Callable

import pytest

from tests.harness import binaries
from tests.harness.people import People
from tests.harness.servers import Site

# How often a process looks for leases of presence that ran out.
LOOK_SECONDS = 2.0


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
async def test_a_process_whose_clock_is_wrong_tells_the_right_time(
    starts_site: Callable[..., Site], offset: str
) -> None:
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
            assert abs(off.total_seconds()) < 600, "an hour would show"
        # Both processes look for leases that ran out; none did.
        await asyncio.sleep(2 * LOOK_SECONDS + 1)
        for device, other in ((ana, ben), (ben, ana)):
            profile = await device.gets(f"/users/{other.id}/profile")
            assert profile["presence"]["status"] == "online"
