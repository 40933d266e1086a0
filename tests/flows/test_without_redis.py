"""Redis is a doorbell, a best-effort notification: without it everything works, only a little later."""

import asyncio
import time
from collections.abc import Callable

from tests.harness.device import PASSWORD
from tests.harness.people import People
from tests.harness.servers import Site

StartsSite = Callable[..., Site]


async def heard_within(seconds: float, ana, ben, conversation, text: str) -> None:
    begun = time.monotonic()
    await ana.sends(text, to=conversation)
    await ben.receives("new_message", content=text, within=max(0.1, begun + seconds - time.monotonic()))


async def test_chat_goes_on_without_redis_and_is_quick_again_when_it_is_back(starts_site: StartsSite) -> None:
    site = starts_site("production")
    assert site.redis is not None
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await heard_within(2.5, ana, ben, conversation, "before")
        newcomer = await ben.another_device("phone", connected=False)

        site.redis.kill()
        for number in range(5):
            await heard_within(2.5, ana, ben, conversation, f"without {number}")
            await heard_within(2.5, ben, ana, conversation, f"answer {number}")
        assert ana.is_connected
        assert ben.is_connected
        await newcomer.connects()
        await heard_within(2.5, ana, newcomer, conversation, "to a newcomer")
        status, error = await tries_to_sign_in(ana)
        assert (status, error["code"]) == (503, "try_again"), "without Redis, guesses of passwords cannot be limited"

        await asyncio.to_thread(site.redis.start)
        await becomes_quick(ana, ben, conversation)


async def tries_to_sign_in(person) -> tuple[int, dict]:
    return await person.request("POST", "/auth/login", {"username": person.username, "password": PASSWORD})


async def becomes_quick(ana, ben, conversation) -> None:
    """Wait until three messages in a row are faster than the sweep of the log: Redis notifies again."""
    quick = 0
    until = time.monotonic() + 30
    while quick < 3:
        assert time.monotonic() < until, "messages are still slow 30 s after Redis came back"
        begun = time.monotonic()
        await ana.sends("again", to=conversation)
        await ben.receives("new_message", content="again")
        quick = quick + 1 if time.monotonic() - begun < 0.25 else 0


async def test_chat_goes_on_while_redis_hangs(starts_site: StartsSite) -> None:
    site = starts_site("production")
    assert site.redis is not None
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await heard_within(2.5, ana, ben, conversation, "before")
        site.redis.program.freeze()
        for number in range(3):
            await heard_within(2.5, ana, ben, conversation, f"hanging {number}")
        site.redis.program.thaw()
        await becomes_quick(ana, ben, conversation)


async def test_a_flushed_redis_loses_no_message(starts_site: StartsSite) -> None:
    site = starts_site("production")
    assert site.redis is not None
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        site.redis.flush()
        await heard_within(2.5, ana, ben, conversation, "after the flush")
        await becomes_quick(ana, ben, conversation)


async def test_a_session_ended_without_redis_closes_within_ten_seconds(starts_site: StartsSite) -> None:
    site = starts_site("production")
    assert site.redis is not None
    async with People(site)("ana", "ben") as (ana, ben):
        phone = await ana.another_device("phone", server=ben.server)
        sessions = (await ana.gets("/auth/sessions"))["results"]
        [other] = [each for each in sessions if not each["current"]]
        site.redis.kill()
        await ana.deletes(f"/auth/sessions/{other['id']}")
        await phone.is_closed(4403, within=10)


async def test_a_server_without_redis_starts_and_reports_not_ready(starts_site: StartsSite) -> None:
    site = starts_site("production")
    assert site.redis is not None
    first = site.servers[0]
    site.redis.kill()
    first.kill()
    first.launch()
    status, said = 0, ""
    until = time.monotonic() + 30
    while status == 0 and time.monotonic() < until:
        status, said = await asyncio.to_thread(first.health, "/health/ready")
    assert status == 503
    assert "layer" in said or "redis" in said.lower()
    assert (await asyncio.to_thread(first.health))[0] == 200
