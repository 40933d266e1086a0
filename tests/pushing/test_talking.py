"""Pushes to absent people: on iPhones, on Android, in browsers, with and without text."""

import os
import sys
from pathlib import Path

import pytest

from tests.harness.people import People
from tests.harness.providers.screen import visible
from tests.pushing.failures import heal, on_one
from tests.pushing.stage import Stage, has_android, has_browser, has_iphone, writes


async def test_a_message_reaches_every_device_of_an_absent_person(stage: Stage, people: People) -> None:
    providers = stage.providers
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, providers.apns)
        tablet = await ben.another_device("tablet", connected=False)
        laptop = await ben.another_device("browser", connected=False)
        android = await has_android(tablet, providers.fcm)
        browser = await has_browser(laptop, providers.web_push)
        own = await has_iphone(ana, providers.apns)
        talk = await ana.talks_to(ben)
        message = await writes(ana, talk, "a secret")
        (on_phone,) = providers.apns.arrives(token=phone)
        (on_android,) = providers.fcm.arrives(token=android)
        (in_browser,) = providers.web_push.arrives(token=browser.endpoint)
        await stage.comes_to(ben, "sent", "sent", "sent")
        assert providers.apns.delivered(own) == []
        for push in (on_phone, on_android, in_browser):
            assert push.mistakes == ()
            assert "a secret" not in str(push)
        assert on_phone.headers["apns-push-type"] == "alert"
        assert on_phone.headers["apns-priority"] == "10"
        assert on_phone.headers["apns-collapse-id"] == talk["id"]
        assert on_phone.payload["aps"]["badge"] == 1
        assert on_phone.payload["aps"]["thread-id"] == talk["id"]
        assert on_phone.payload["message_id"] == message["id"]
        assert on_android.payload["message"]["data"]["message_id"] == message["id"]
        assert on_android.payload["message"]["android"]["notification"]["notification_count"] == 1
        assert in_browser.payload["conversation_id"] == talk["id"]
        assert in_browser.payload["badge"] == "1"
        for double in providers.all:
            assert double.complaints() == []


async def test_a_preview_shows_sender_and_text_and_is_replaced_by_the_newest(stage: Stage, people: People) -> None:
    providers = stage.providers
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, providers.apns)
        await ben.patches("/notifications/preferences", {"preview": True})
        talk = await ana.talks_to(ben)
        await writes(ana, talk, "first")
        providers.apns.arrives(token=phone)
        await writes(ana, talk, "second")
        providers.apns.arrives(2, token=phone)
        screen = visible(providers.apns.received())[phone]
        (shown,) = screen.shown
        assert (shown.title, shown.body) == ("Ana", "second")
        assert screen.badge == 2


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what each thread may claim")
@on_one
async def test_a_worker_lets_the_server_have_the_processors_first(stage: Stage, people: People) -> None:
    (worker,) = stage.workers
    usual = worker.environment.pop("WORKER_NICENESS")  # the tests switch it off; the default is 10
    worker.kill()
    try:
        worker.start()
        async with people("ana", "ben", connected=False) as (ana, ben):
            phone = await has_iphone(ben, stage.providers.apns)
            await writes(ana, await ana.talks_to(ben), "so that the worker is at work")
            stage.providers.apns.arrives(token=phone)
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        assert priorities(stage.site.servers[0].program.pid) == {ours}
        assert priorities(worker.program.pid) == {max(10, ours)}
        assert session_priority(worker.program.pid) in {"", "nice 10"}
    finally:
        worker.environment["WORKER_NICENESS"] = usual
        worker.kill()
        heal(stage)


def priorities(pid: int) -> set[int]:
    """Return the niceness of every thread of a process."""
    return {os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()}


def session_priority(pid: int) -> str:
    """Return what the session of a process may claim, as "nice 10"; "" where sessions have no share of their own."""
    told = Path(f"/proc/{pid}/autogroup")
    return told.read_text().strip().partition(" ")[2] if told.exists() else ""
