"""16: a person is deactivated while their requests are in flight: none that begins later succeeds."""

import asyncio
import time

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.rest import Refused
from tests.harness.servers import Site
from tests.security.staff import Staff


async def posts_without_end(device: Device, conversation: str, outcomes: list[tuple[float, int]]) -> None:
    """Send over REST until refused; add the start time and the status of each request to the outcomes."""
    while True:
        begun = time.monotonic()
        status, _ = await device.request("POST", "/messages", {"conversation_id": conversation, "content": "x"})
        outcomes.append((begun, status))
        if status == 401:
            return


async def test_requests_begun_after_the_deactivation_are_refused(production: Site, staff: Staff) -> None:
    async with People(production)("ben", "ana") as (ben, ana):
        conversation = (await ben.talks_to(ana))["id"]
        outcomes: list[tuple[float, int]] = []
        elsewhere = ana.twin(server=production.servers[0])
        posting = [
            asyncio.create_task(posts_without_end(device, conversation, outcomes)) for device in (ana, elsewhere) * 4
        ]
        await asyncio.sleep(0.3)
        await staff.acts("deactivate", ana)
        deactivated = time.monotonic()
        await asyncio.wait_for(asyncio.gather(*posting), 10)
        assert {status for _, status in outcomes} <= {201, 401}, "every request either succeeds or is refused"
        assert {status for begun, status in outcomes if begun > deactivated} <= {401}
        written = [status for _, status in outcomes].count(201)
        assert written > 5, "too few requests were in flight"
        texts = [each for each in await ben.history(conversation) if each["sender_user_id"] == ana.id]
        assert len(texts) == written, "the stored messages are exactly the acknowledged ones"
        await ana.is_closed(4403, within=1)


async def test_a_sign_in_during_the_deactivation_leaves_no_session(production: Site, staff: Staff) -> None:
    async with People(production)("ana", connected=False) as (ana,):
        tokens: list[str] = []

        async def signs_in() -> None:
            while True:
                try:
                    tokens.append((await ana.another_device(connected=False)).token)
                except AssertionError:  # 401
                    return

        signing_in = [asyncio.create_task(signs_in()) for _ in range(4)]
        async with asyncio.timeout(10):
            while not tokens:
                await asyncio.sleep(0.01)
        await staff.acts("deactivate", ana)
        await asyncio.wait_for(asyncio.gather(*signing_in), 10)
        await staff.acts("reactivate", ana)
        for token in tokens:
            ana.token = token
            try:
                await ana.gets("/users/me")
            except Refused as refusal:
                assert refusal.status == 401
            else:
                raise AssertionError("a session from before the deactivation is live again")
