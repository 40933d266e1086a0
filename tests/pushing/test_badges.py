"""The badge equals the number of unread messages, on whichever device they are read."""

import random
from typing import Any

import pytest

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.providers.screen import visible
from tests.pushing.stage import Stage, becomes, has_android, has_iphone, writes

STEPS = 14


async def unread_of(device: Device) -> int:
    return sum([each["unread_count"] async for each in device.pages("/conversations")])


async def test_a_slow_push_is_not_overtaken_by_the_next(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, apns)
        talk = await ana.talks_to(ben)
        apns.fails("slow", times=1, seconds=1.5)
        await writes(ana, talk, "one")
        apns.arrives(token=phone)
        await writes(ana, talk, "another")
        first, second = apns.arrives(2, token=phone)
        assert second.at >= first.at + 1.5
        assert (second.payload["aps"]["badge"], visible(apns.received())[phone].badge) == (2, 2)


@pytest.mark.parametrize("seed", [1, 2])
async def test_badges_follow_random_reading_on_several_devices(stage: Stage, people: People, seed: int) -> None:
    drawn, apns = random.Random(f"{seed} {stage.site.profile}"), stage.providers.apns
    async with people("ana", "ben", "cyd", connected=False) as (ana, ben, cyd):
        tablet = await ben.another_device("tablet", connected=False)
        phones = [await has_iphone(ben, apns), await has_iphone(tablet, apns)]
        android = await has_android(await ben.another_device("android", connected=False), stage.providers.fcm)
        talks = [await ana.talks_to(ben), await cyd.talks_to(ben), await ana.gathers(ben, cyd)]
        written: list[dict[str, Any]] = []
        for step in range(STEPS):
            if not written or drawn.random() < 0.6:
                talk = drawn.choice(talks)
                author = cyd if talk is talks[1] else ana
                written.append(await writes(author, talk, f"message {step}"))
            else:
                message = drawn.choice(written)
                await drawn.choice([ben, tablet]).posts(f"/messages/{message['id']}/read")
        # Either one more message is sent, and its push has the number; or everything is read, and the badge is cleared.
        if drawn.random() < 0.5:
            written.append(await writes(ana, talks[2], "the last one"))
        else:
            for talk in talks:
                newest = [each for each in written if each["conversation_id"] == talk["id"]]
                if newest:
                    await tablet.posts(f"/messages/{newest[-1]['id']}/read")
        unread = await unread_of(ben)

        def last_badges() -> list[int | None]:
            screens = visible(apns.received())
            badges = [screens[phone].badge if phone in screens else None for phone in phones]
            data = [push.payload["message"]["data"] for push in stage.providers.fcm.delivered(android)]
            return [*badges, int(data[-1]["badge"]) if data else None]

        # A device that never got a badge shows none.
        await becomes(
            lambda: all(badge == unread or (badge is None and unread == 0) for badge in last_badges()),
            lambda: f"{unread} unread, but {last_badges()}\n{stage.description(ben)}",
        )
        for push in apns.received():
            assert 0 <= push.payload["aps"].get("badge", 0) <= len(written)
