"""Every outcome of a push, caused by what people do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from notifications.decision import PushOutcome
from tests.harness.device import Device
from tests.harness.people import People
from tests.pushing.stage import Stage, has_iphone, writes


@pytest.fixture
def stage(one_stage: Stage) -> Stage:
    """One stage, also for `people`."""
    return one_stage


ALL_DAY = {"do_not_disturb": {"from": "00:00", "until": "00:00", "time_zone": "Europe/Vienna"}}
Doing = Callable[[Device, Device, Any, Any], Awaitable[Any]]


async def reads(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.posts(f"/messages/{message['id']}/read")


async def mutes(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.patches(f"/conversations/{team['id']}/me", {"muted_until": "2100-01-01T00:00:00Z"})


async def wants_mentions_only(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.patches(f"/conversations/{team['id']}/me", {"notification_level": "mentions"})


async def wants_nothing(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.patches("/notifications/preferences", {"level": "none"})


async def wants_no_push(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.patches("/notifications/preferences", {"push": False})


async def sleeps(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.patches("/notifications/preferences", ALL_DAY)


async def pauses(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.patches("/notifications/preferences", {"paused_until": "2100-01-01T00:00:00Z"})


async def is_busy(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.puts("/users/status", {"status": "busy"})


async def blocks(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.posts("/users/block", {"user_id": ana.id})


async def is_blocked(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ana.posts("/users/block", {"user_id": ben.id})


async def switches_off(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ana.patches(f"/conversations/{team['id']}", {"settings": {"notifications_enabled": False}})


async def deletes(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ana.asks_rest("DELETE", f"/messages/{message['id']}", query={"for": "everyone"})


async def signs_out(ana: Device, ben: Device, team: Any, message: Any) -> None:
    await ben.posts("/auth/logout")


@pytest.mark.parametrize(
    ("does", "outcome"),
    [
        (reads, PushOutcome.READ),
        (mutes, PushOutcome.MUTED),
        (wants_mentions_only, PushOutcome.MENTION_ONLY),
        (wants_nothing, PushOutcome.PREFERENCE_OFF),
        (wants_no_push, PushOutcome.PREFERENCE_OFF),
        (sleeps, PushOutcome.DO_NOT_DISTURB),
        (pauses, PushOutcome.DO_NOT_DISTURB),
        (is_busy, PushOutcome.DO_NOT_DISTURB),
        (blocks, PushOutcome.BLOCKED),
        (is_blocked, PushOutcome.BLOCKED),
        (switches_off, PushOutcome.CONVERSATION_OFF),
        (deletes, PushOutcome.DELETED),
        (signs_out, PushOutcome.TOKEN_DEAD),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_a_change_between_message_and_decision_counts(
    stage: Stage, people: People, does: Doing, outcome: PushOutcome
) -> None:
    async with people("ana", "ben", "cyd", connected=False) as (ana, ben, cyd):
        phone = await has_iphone(ben, stage.providers.apns)
        other = await has_iphone(cyd, stage.providers.apns)
        team = await ana.gathers(ben, cyd)
        with stage.paused():
            message = await writes(ana, team)
            await does(ana, ben, team, message)
        if outcome not in (PushOutcome.CONVERSATION_OFF, PushOutcome.DELETED):
            stage.providers.apns.arrives(token=other)
        await stage.comes_to(ben, outcome)
        assert stage.providers.apns.delivered(phone) == []


async def test_a_mention_reaches_a_person_who_wants_mentions_only(stage: Stage, people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, stage.providers.apns)
        await ben.patches("/notifications/preferences", {"level": "mentions"})
        team = await ana.gathers(ben)
        await writes(ana, team, "all of you")
        await stage.comes_to(ben, "mention_only")
        await writes(ana, team, "@ben you", mentions=[{"user_id": ben.id, "offset": 0, "length": 4}])
        stage.providers.apns.arrives(token=phone)
        await stage.comes_to(ben, "mention_only", "sent")
        listed = await ben.gets("/notifications")
        assert [(each["kind"], each["actor_user_id"]) for each in listed["results"]] == [
            ("mention", ana.id),
            ("added", ana.id),
        ]
        assert listed["unread_count"] == 2


async def test_an_active_person_is_pushed_to_when_they_become_quiet(stage: Stage, people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, stage.providers.apns)
        laptop = await ben.another_device("laptop")
        talk = await ana.talks_to(ben)
        await laptop.knows(talk)

        async def types() -> None:
            while True:
                await laptop.says("typing", conversation_id=talk["id"], is_typing=True)
                await asyncio.sleep(0.1)

        typing = asyncio.create_task(types())
        await asyncio.sleep(2.5)  # until the server has reported the activity
        await writes(ana, talk)
        await stage.comes_to(ben, "active")
        assert stage.providers.apns.delivered(phone) == []
        typing.cancel()
        stage.providers.apns.arrives(token=phone)
        await stage.comes_to(ben, "sent")
        await laptop.leaves()


async def test_a_removed_participant_gets_no_push(stage: Stage, people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, stage.providers.apns)
        team = await ana.gathers(ben)
        stage.providers.apns.fails(503, token=phone)
        await writes(ana, team)
        await stage.comes_to(ben, "later")
        await ana.deletes(f"/conversations/{team['id']}/participants/{ben.id}")
        await stage.comes_to(ben, "no_permission")
        # Only the badge is cleared.
        assert {each.payload["kind"] for each in stage.providers.apns.delivered(phone)} <= {"badge"}


async def test_after_a_pause_the_provider_gets_the_newest_message_only(stage: Stage, people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, stage.providers.apns)
        talk = await ana.talks_to(ben)
        stage.providers.apns.fails(429, token=phone, retry_after=60, reason="TooManyRequests")
        await writes(ana, talk, "first")
        await stage.comes_to(ben, "later")
        second = await writes(ana, talk, "second")
        await stage.comes_to(ben, "later", "later")
        stage.providers.apns.works()
        stage.time_passes(60)
        (push,) = stage.providers.apns.arrives(token=phone)
        await stage.comes_to(ben, "superseded", "sent")
        assert push.payload["message_id"] == second["id"]
        assert push.payload["aps"]["badge"] == 2


async def test_a_dead_token_is_removed_and_a_refused_one_is_kept(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    async with people("ana", "ben", "cyd", connected=False) as (ana, ben, cyd):
        gone, refused = await has_iphone(ben, apns), await has_iphone(cyd, apns)
        apns.gone(gone)
        apns.fails(400, token=refused, reason="BadDeviceToken", times=1)
        team = await ana.gathers(ben, cyd)
        await writes(ana, team)
        await stage.comes_to(ben, "token_dead")
        await stage.comes_to(cyd, "refused")
        await writes(ana, team)
        apns.arrives(token=refused)
        await stage.comes_to(cyd, "refused", "sent")
        assert stage.outcomes(ben) == ["token_dead"]


async def test_reading_elsewhere_clears_the_badge(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, apns)
        talk = await ana.talks_to(ben)
        message = await writes(ana, talk)
        apns.arrives(token=phone)
        await stage.comes_to(ben, "sent")
        await ben.posts(f"/messages/{message['id']}/read")
        shown, cleared = apns.arrives(2, token=phone)
        assert shown.payload["aps"]["badge"] == 1
        assert cleared.payload["aps"] == {"badge": 0}
        assert cleared.headers["apns-priority"] == "5"


async def test_deleting_a_pushed_message_sends_a_silent_push(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, apns)
        talk = await ana.talks_to(ben)
        message = await writes(ana, talk)
        apns.arrives(token=phone)
        await stage.comes_to(ben, "sent")
        await deletes(ana, ben, talk, message)
        _, silent = apns.arrives(2, token=phone)
        assert silent.headers["apns-push-type"] == "background"
        assert silent.payload["aps"] == {"content-available": 1}
        assert (silent.payload["kind"], silent.payload["message_id"]) == ("sync", message["id"])


# --- A message that is news no more -------------------------------------------------------


async def test_an_old_message_is_not_pushed(stage: Stage, people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        await has_iphone(ben, stage.providers.apns)
        with stage.paused():
            message = await writes(ana, await ana.talks_to(ben))
            stage.site.rows(
                "UPDATE messaging_message SET created_at = created_at - interval '2 days' WHERE id = %s RETURNING 1",
                message["id"],
            )
        await stage.comes_to(ben, "expired")
        assert stage.providers.apns.received() == []


def test_every_outcome_has_a_test_here() -> None:
    told = Path(__file__).read_text()
    # SEND is the state between decision and attempt; a test from outside cannot observe it.
    seen = [outcome for outcome in PushOutcome if outcome != "send"]
    assert not [outcome for outcome in seen if f'"{outcome}"' not in told and f"Outcome.{outcome.name}" not in told]
