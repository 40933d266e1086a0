"""The list of notifications behind the bell, with entries that a test chooses."""

from typing import Any

from playwright.async_api import expect

from tests.browser.conftest import Arrives
from tests.browser.fake_notifications import FakeNotifications
from tests.browser.push_service import PushService
from tests.harness.people import People
from tests.waiting import until

NOBODY = "00000000-0000-7000-8000-00000000ffff"


def entry(number: int, message: dict[str, Any], kind: str = "mention", **changes: Any) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-7000-8000-{number:012}",
        "kind": kind,
        "conversation_id": message["conversation_id"],
        "message_id": message["id"],
        "sequence": message["sequence"],
        "actor_user_id": message["sender_user_id"],
        "created_at": message["created_at"],
        "read_at": None,
    } | changes


async def test_an_entry_opens_its_conversation_at_the_message(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        group = await ana.gathers(ben, name="Team")
        long_ago = await ana.posts_message("long ago", to=group)
        for number in range(120):
            await ana.posts_message(f"line {number}", to=group)
        visitor = await arrives()
        fake = await FakeNotifications.at(visitor)
        fake.page = {"results": [entry(1, long_ago)], "next": None, "unread_count": 1}
        await visitor.signs_in(ben)
        page = visitor.page
        await page.get_by_role("button", name="Notifications, 1 unread").press("Enter")
        await page.get_by_role("dialog").get_by_role("button", name="Ana mentioned you in Team").press("Enter")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(visitor.bubble("long ago")).to_be_in_viewport()
        await expect(visitor.bubble("line 119")).not_to_be_in_viewport()
        # Once more, from another position in the conversation.
        await page.locator(".pill").click()
        await expect(visitor.bubble("line 119")).to_be_in_viewport()
        await page.get_by_role("button", name="Notifications", exact=True).click()
        await page.get_by_role("dialog").get_by_role("button", name="Ana mentioned you in Team").click()
        await expect(visitor.bubble("long ago")).to_be_in_viewport()


async def test_names_are_shown_as_text_and_unknown_actors_as_somebody(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        hostile = "<img src=x onerror=alert(1)>"
        await ana.patches("/users/me", {"display_name": hostile})
        group = await ana.gathers(ben, name="<b>Team</b>")
        message = await ana.posts_message("hello", to=group)
        visitor = await arrives()
        fake = await FakeNotifications.at(visitor)
        shown = [
            entry(3, message),
            entry(2, message, "reply", actor_user_id=NOBODY),
            entry(1, message, "added", message_id=None, sequence=1),
        ]
        fake.page = {"results": shown, "next": None, "unread_count": 3}
        await visitor.signs_in(ben)
        await visitor.page.get_by_role("button", name="Notifications, 3 unread").click()
        await expect(visitor.page.locator(".notification-line")).to_have_text(
            [
                f"Unread: {hostile} mentioned you in <b>Team</b>",
                "Unread: Somebody replied to you in <b>Team</b>",
                f"Unread: {hostile} added you to <b>Team</b>",
            ]
        )
        await expect(visitor.page.locator(".notification-line :not(.visually-hidden)")).to_have_count(0)


async def test_the_list_is_paged_and_marked_read(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        message = await ana.posts_message("hello", to=await ana.talks_to(ben))
        visitor = await arrives()
        fake = await FakeNotifications.at(visitor)
        newest, older = entry(9, message), entry(8, message, "reply")
        fake.page = {"results": [newest], "next": newest["id"], "unread_count": 2}
        await visitor.signs_in(ben)
        page = visitor.page
        await page.get_by_role("button", name="Notifications, 2 unread").click()
        fake.page = {"results": [older], "next": None, "unread_count": 2}
        await page.get_by_role("button", name="Show older").click()
        await expect(page.locator(".notification-line")).to_have_text(
            ["Unread: Ana mentioned you", "Unread: Ana replied to you"]
        )
        await expect(page.locator(".notification").nth(1)).to_be_focused()
        await expect(page.get_by_role("button", name="Show older")).to_be_hidden()
        await page.get_by_role("button", name="Mark all read").click()
        await expect(page.locator(".notification.unread")).to_have_count(0)
        await until(lambda: ("POST", "notifications/read", {"up_to": newest["id"]}) in fake.asked)
        await expect(page.get_by_role("button", name="Mark all read")).to_be_disabled()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_focused()


async def test_reading_the_conversation_reads_the_entry(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        message = await ana.posts_message("hello", to=await ana.talks_to(ben))
        visitor = await arrives()
        fake = await FakeNotifications.at(visitor)
        fake.page = {"results": [entry(1, message)], "next": None, "unread_count": 1}
        await visitor.signs_in(ben)
        await expect(visitor.page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()
        await visitor.opens("Ana")
        await expect(visitor.page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()


async def test_a_push_about_the_conversation_in_sight_is_not_shown(people: People, arrives: Arrives):
    async with people("ana", "ben", "cleo", connected=False) as (ana, ben, cleo):
        in_sight = await ana.posts_message("seen", to=await ana.talks_to(ben))
        other = await cleo.posts_message("not seen", to=await cleo.talks_to(ben))
        visitor = await arrives()
        await FakeNotifications.at(visitor)
        await visitor.signs_in(ben)
        service = await PushService.of(visitor.page)
        push = {"kind": "message", "badge": "1"}
        positions = [{key: message[key] for key in ("conversation_id", "sequence")} for message in (in_sight, other)]
        for position in positions:
            await service.delivers(push | position)
        await service.shows(2)
        await visitor.opens("Ana")
        # Reading the conversation has closed its notification.
        (left,) = await service.shows(1)
        assert left["data"]["conversation_id"] == other["conversation_id"]
        for position in positions:
            await service.delivers(push | position | {"title": "again"})
        (left,) = await service.shows(1, title="again")
        assert left["data"]["conversation_id"] == other["conversation_id"]
