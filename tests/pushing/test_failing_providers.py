"""Providers that fail: what follows for the push, its record and its token."""

import time
from typing import Any

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.providers.faults import Kind
from tests.pushing.failures import each_once, no_task_failed, on_one, shown_on
from tests.pushing.stage import Stage, becomes, has_android, has_browser, has_iphone, writes
from tests.waiting import DEADLINE

# The fault at the first attempt, and how many pushes reach the device.
FAULTS: dict[int | Kind, int] = {"slow": 1, "silent": 1, "reset": 1, "goaway": 1, 500: 1, "cut": 2}


async def has_three(ben: Device, stage: Stage) -> dict[str, str]:
    """Register a device with each provider; return the tokens by provider."""
    providers = stage.providers
    return {
        "apns": await has_iphone(ben, providers.apns),
        "fcm": await has_android(await ben.another_device("tablet", connected=False), providers.fcm),
        "web_push": (
            await has_browser(await ben.another_device("browser", connected=False), providers.web_push)
        ).endpoint,
    }


def tokens(stage: Stage) -> set[str]:
    """Return all tokens that the server keeps."""
    tables = ("apnsdevice", "gcmdevice", "webpushdevice")
    return {
        row[0]
        for table in tables
        for row in stage.site.rows(f"SELECT registration_id FROM push_notifications_{table}")  # noqa: S608
    }


@on_one
async def test_a_push_that_fails_once_comes_and_is_seen_once(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    healthy = no_task_failed(stage)
    names = [f"ben{number}" for number in range(len(FAULTS))]
    async with people("ana", *names, connected=False) as (ana, *bens):
        phones = [await has_iphone(ben, apns) for ben in bens]
        for kind, phone in zip(FAULTS, phones, strict=True):
            apns.fails(kind, token=phone, times=1, seconds=1.5)
        talk = await ana.gathers(*bens)
        await writes(ana, talk)
        for ben in bens:
            await stage.comes_to(ben, "sent")
        counts = {kind: shown_on(apns, phone)[talk["id"]] for kind, phone in zip(FAULTS, phones, strict=True)}
        assert counts == FAULTS
        asked = {
            kind: [record for record in apns.received() if record.token == phone]
            for kind, phone in zip(FAULTS, phones, strict=True)
        }
        assert {kind: len(found) for kind, found in asked.items()} == dict.fromkeys(FAULTS, 2) | {"slow": 1}
        # A push that is sent twice has one id, so that an app can show it once even without the collapse id.
        assert len({record.id for record in asked["cut"]}) == 1
    healthy()


@on_one
async def test_a_provider_that_asks_for_a_pause_gets_it(stage: Stage, people: People) -> None:
    doubles: dict[str, Any] = {each.name: each for each in stage.providers.all}
    async with people("ana", "ben", connected=False) as (ana, ben):
        devices = await has_three(ben, stage)
        for name, token in devices.items():
            doubles[name].fails(429, token=token, times=1, retry_after=600)
        talk = await ana.talks_to(ben)
        await writes(ana, talk)
        await stage.comes_to(ben, "later", "later", "later")
        waits = stage.site.rows(
            "SELECT extract(epoch FROM next_at - attempted_at) FROM notifications_delivery WHERE user_id = %s", ben.id
        )
        assert all(600 <= wait < 600 + DEADLINE for (wait,) in waits), waits
        stage.time_passes(600)
        await stage.comes_to(ben, "sent", "sent", "sent")
        for name, token in devices.items():
            first, second = [record for record in doubles[name].received() if record.token == token]
            assert (first.status, second.status in (200, 201)) == (429, True)
            assert shown_on(doubles[name], token) == each_once([talk])


@on_one
async def test_a_token_that_is_gone_is_removed(stage: Stage, people: People) -> None:
    providers = stage.providers
    async with people("ana", "ben", connected=False) as (ana, ben):
        devices = await has_three(ben, stage)
        assert tokens(stage) >= set(devices.values())
        providers.apns.gone(devices["apns"])
        providers.fcm.gone(devices["fcm"])
        providers.web_push.gone(devices["web_push"])
        talk = await ana.talks_to(ben)
        await writes(ana, talk)
        await stage.comes_to(ben, "token_dead", "token_dead", "token_dead")
        assert not tokens(stage) & set(devices.values())
        # No device is left; a new token works.
        phone = await has_iphone(ben, providers.apns)
        await writes(ana, talk)
        await stage.comes_to(ben, *["token_dead"] * 3, "sent")
        assert shown_on(providers.apns, phone) == each_once([talk])


@on_one
async def test_a_refusal_by_our_mistake_keeps_the_token(stage: Stage, people: People) -> None:
    doubles: dict[str, Any] = {each.name: each for each in stage.providers.all}
    async with people("ana", "ben", connected=False) as (ana, ben):
        devices = await has_three(ben, stage)
        doubles["apns"].fails(400, token=devices["apns"], times=1)  # BadDeviceToken: the wrong environment, perhaps
        doubles["fcm"].fails(403, token=devices["fcm"], times=1)  # SENDER_ID_MISMATCH
        doubles["web_push"].fails(413, token=devices["web_push"], times=1)
        talk = await ana.talks_to(ben)
        await writes(ana, talk)
        await stage.comes_to(ben, "refused", "refused", "refused")
        assert tokens(stage) >= set(devices.values())
        asked_before = time.time()
        await writes(ana, talk)
        await stage.comes_to(ben, *["refused"] * 3, *["sent"] * 3)
        for name, token in devices.items():
            assert shown_on(doubles[name], token) == each_once([talk])
            # The first message was not tried again.
            assert len([r for r in doubles[name].received() if r.token == token and r.at > asked_before]) == 1


@on_one
async def test_a_push_refused_for_wrong_keys_is_sent_later(stage: Stage, people: People) -> None:
    doubles: dict[str, Any] = {each.name: each for each in stage.providers.all}
    async with people("ana", "ben", connected=False) as (ana, ben):
        devices = await has_three(ben, stage)
        doubles["apns"].fails(403, token=devices["apns"], times=1)  # InvalidProviderToken
        doubles["fcm"].fails(403, token=devices["fcm"], times=1, reason="PERMISSION_DENIED")
        doubles["web_push"].fails(403, token=devices["web_push"], times=1)
        talk = await ana.talks_to(ben)
        await writes(ana, talk)
        await stage.comes_to(ben, "sent", "sent", "sent")
        for name, token in devices.items():
            assert shown_on(doubles[name], token) == each_once([talk])
            assert len([record for record in doubles[name].received() if record.token == token]) == 2


@on_one
async def test_an_older_message_does_not_take_the_place_of_a_newer_one(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, apns)
        talk = await ana.talks_to(ben)
        apns.fails(429, token=phone, times=1, retry_after=600)
        await writes(ana, talk, "older")
        await stage.comes_to(ben, "later")
        newer = await writes(ana, talk, "newer")
        await becomes(lambda: stage.outcomes(ben)[1:] == ["sent"], lambda: stage.description(ben))
        stage.time_passes(600)
        await stage.comes_to(ben, "superseded", "sent")
        (push,) = apns.delivered(phone)
        assert push.payload["message_id"] == newer["id"]
