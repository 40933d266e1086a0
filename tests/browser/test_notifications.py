"""Notifications in browsers, with the real server."""

from playwright.async_api import expect

from tests.browser.conftest import Arrives
from tests.browser.visitor import Visitor
from tests.harness.people import People


def lines(visitor: Visitor):
    return visitor.page.locator(".notification-line")


async def test_replies_and_additions_are_in_the_list_at_once(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        visitor, elsewhere = await arrives(), await arrives()
        await visitor.signs_in(ben)
        await elsewhere.signs_in(ben)
        group = await ana.gathers(ben, name="Team")
        await expect(visitor.page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()
        mine = await ben.posts_message("a question", to=group)
        await ana.posts_message("an answer", to=group, reply_to_id=mine["id"])
        await visitor.page.get_by_role("button", name="Notifications, 2 unread").click()
        expected = ["Unread: Ana replied to you in Team", "Unread: Ana added you to Team"]
        await expect(lines(visitor)).to_have_text(expected)
        await visitor.page.reload()
        await visitor.page.get_by_role("button", name="Notifications, 2 unread").click()
        await expect(lines(visitor)).to_have_text(expected)
        await visitor.page.get_by_role("button", name="Mark all read").click()
        await expect(visitor.page.locator(".notification.unread")).to_have_count(0)
        await expect(elsewhere.page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()
        await visitor.page.get_by_role("button", name="Ana replied to you in Team").click()
        await visitor.sees("an answer")


async def test_notifications_missed_while_offline_are_in_the_list(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        visitor = await arrives()
        await visitor.signs_in(ben)
        visitor.network_is_cut = True
        await visitor.context.set_offline(True)
        await visitor.is_cut_off()
        await ana.gathers(ben, name="Team")
        await visitor.context.set_offline(False)
        await expect(visitor.page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible(timeout=30_000)


async def test_reading_a_conversation_elsewhere_reads_its_entries_here(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        mine = await ben.posts_message("a question", to=direct)
        visitor = await arrives()
        await visitor.signs_in(ben)
        answer = await ana.posts_message("an answer", to=direct, reply_to_id=mine["id"])
        await expect(visitor.page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()
        await ben.posts(f"/messages/{answer['id']}/read")
        await expect(visitor.page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()


async def test_preferences_are_stored_at_the_server(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives(timezone_id="Europe/Vienna")
        await visitor.signs_in(ana)
        await visitor.page.get_by_role("button", name="My profile").click()
        await visitor.page.get_by_role("button", name="Notification settings").click()
        dialog = visitor.page.get_by_role("dialog", name="Notification settings")
        await dialog.get_by_label("Only when I am mentioned").check()
        await dialog.get_by_label("Send nothing at these times").check()
        await dialog.get_by_label("Sunday").uncheck()
        await dialog.get_by_role("button", name="For 1 hour").click()
        await expect(dialog.get_by_text("Paused until")).to_be_visible()
        stored = await ana.gets("/notifications/preferences")
        quiet = {"from": "22:00", "until": "07:00", "days": [0, 1, 2, 3, 4, 5], "time_zone": "Europe/Vienna"}
        assert (stored["level"], stored["do_not_disturb"]) == ("mentions", quiet)
        assert stored["paused_until"] is not None
        await visitor.page.reload()
        await visitor.page.get_by_role("button", name="My profile").click()
        await visitor.page.get_by_role("button", name="Notification settings").click()
        await expect(dialog.get_by_label("Only when I am mentioned")).to_be_checked()
        await expect(dialog.get_by_label("Sunday")).not_to_be_checked()
        await expect(dialog.get_by_text("Paused until")).to_be_visible()
