"""The service worker: how it is served, the notifications it shows, and the effect of a click."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Arrives
from tests.browser.push_service import PushService

ROOM = "00000000-0000-7000-8000-000000000101"
OTHER_ROOM = "00000000-0000-7000-8000-000000000102"
TAG = f"conversation {ROOM}"


def message(sequence: int, conversation: str = ROOM, **more: str) -> dict[str, Any]:
    return {
        "kind": "message",
        "conversation_id": conversation,
        "message_id": f"00000000-0000-7000-8000-{sequence:012}",
        "sequence": str(sequence),
        "badge": "3",
    } | more


async def test_the_worker_is_served_for_the_whole_site_and_always_revalidated(arrives: Arrives):
    visitor = await arrives()
    answer = await visitor.page.request.get("/service-worker.js")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["service-worker-allowed"] == "/"
    assert answer.headers["cache-control"] == "no-cache"
    policy = (await visitor.page.request.get("/")).headers["content-security-policy"]
    assert "worker-src 'self'" in policy.split("; ")


async def test_no_worker_is_registered_unasked(arrives: Arrives):
    visitor = await arrives()
    assert await visitor.page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0


async def test_a_push_is_shown_and_a_newer_one_takes_its_place(arrives: Arrives):
    service = await PushService.of((await arrives()).page)
    assert service.scope.endswith("/")
    await service.delivers(message(7))
    (shown,) = await service.shows(1)
    assert (shown["title"], shown["body"], shown["tag"]) == ("New message", "", TAG)
    assert shown["data"] == {"conversation_id": ROOM, "message_id": message(7)["message_id"], "sequence": 7}
    await service.delivers(message(8, title="Ana", body="<b>hello</b>"))
    await service.shows(1, title="Ana", body="<b>hello</b>")
    await service.delivers(message(3, conversation=OTHER_ROOM))
    await service.shows(2)


@pytest.mark.parametrize("payload", ["", "no json", '{"title": 5, "conversation_id": "javascript:alert(1)"}'])
async def test_an_unreadable_push_is_shown_as_a_new_message(arrives: Arrives, payload: str):
    service = await PushService.of((await arrives()).page)
    await service.delivers(payload)
    (shown,) = await service.shows(1, title="New message")
    assert shown["data"] == {"conversation_id": None, "message_id": None, "sequence": None}


async def test_a_test_push_is_shown_as_a_test(arrives: Arrives):
    service = await PushService.of((await arrives()).page)
    await service.delivers({"kind": "test", "badge": "0"})
    await service.shows(1, title="Chatsite: test")


async def test_a_notification_read_elsewhere_is_closed(arrives: Arrives):
    service = await PushService.of((await arrives()).page)
    await service.delivers(message(7))
    await service.delivers(message(3, conversation=OTHER_ROOM))
    await service.shows(2)
    await service.delivers(message(7, badge="1") | {"kind": "sync"})
    (left,) = await service.shows(1)
    assert left["data"]["conversation_id"] == OTHER_ROOM


async def test_a_notification_read_in_the_page_is_closed(arrives: Arrives):
    service = await PushService.of((await arrives()).page)
    await service.delivers(message(7))
    await service.shows(1)
    await service.gets_message({"type": "read", "reads": {ROOM: 7}, "badge": 0})
    await service.shows(0)


async def test_a_click_opens_the_conversation_in_the_open_page(arrives: Arrives):
    page = (await arrives()).page
    service = await PushService.of(page)
    await service.delivers(message(7))
    await service.shows(1)
    await service.clicks()
    await expect(page).to_have_url(f"{await page.evaluate('location.origin')}/#/c/{ROOM}")
    await service.shows(0)
