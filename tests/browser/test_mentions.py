"""Mentions: the list after "@", the highlighted name, the badge, and the notification settings of a group."""

import re

from playwright.async_api import expect

from tests.browser.conftest import Arrives
from tests.harness.people import People


async def test_a_mention_is_chosen_by_keyboard_and_by_mouse(people: People, arrives: Arrives):
    async with people("ana", "ben", "cleo", connected=False) as (ana, ben, cleo):
        team = await ana.gathers(ben, cleo)
        await ben.connects()  # another device, which receives what is read in the browser
        at_ana, at_ben = await arrives(), await arrives()
        await at_ana.signs_in(ana)
        await at_ben.signs_in(ben)
        await at_ana.opens("Trip")
        field, page = at_ana.composer, at_ana.page
        options = page.get_by_role("option")

        await field.press_sequentially("\U0001f44b\U0001f3fd @")
        await expect(options).to_have_text([re.compile("Ben"), re.compile("Cleo")])
        await field.press("ArrowDown")
        await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
        chosen = await options.nth(1).get_attribute("id")
        await expect(field).to_have_attribute("aria-activedescendant", str(chosen))
        await field.press("ArrowDown")
        await field.press("Enter")
        await expect(field).to_have_value("\U0001f44b\U0001f3fd @Ben ")
        await expect(options).to_have_count(0)

        await field.press_sequentially("and @cl")
        await options.first.click()
        await expect(field).to_have_value("\U0001f44b\U0001f3fd @Ben and @Cleo ")
        await expect(field).to_be_focused()
        await field.press("Enter")
        text = "\U0001f44b\U0001f3fd @Ben and @Cleo"
        await expect(at_ana.bubble(text).locator(".mention")).to_have_text(["@Ben", "@Cleo"])
        await at_ana.sees_tick(text, "sent")  # cleo is offline
        (message,) = [each for each in await ben.history(team) if each["sender_user_id"] == ana.id]
        assert message["mentions"] == [
            {"user_id": ben.id, "offset": 3, "length": 4},
            {"user_id": cleo.id, "offset": 12, "length": 5},
        ]

        await expect(at_ben.row("Trip").locator(".mention-badge")).to_contain_text("You are mentioned")
        await at_ben.opens("Trip")
        await expect(at_ben.row("Trip").locator(".mention-badge")).to_have_count(0)
        shown = at_ben.bubble(text)
        await expect(shown.locator(".mention")).to_have_text(["@Ben", "@Cleo"])
        await expect(shown.locator("mark")).to_have_text(["@Ben"])
        await ben.receives("conversation_read", conversation=team, mention_count=0)
        assert (await ben.looks_at(team))["mention_count"] == 0


async def test_escape_closes_the_list_and_an_edit_removes_the_mention(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        team = await ana.gathers(ben)
        at_ana = await arrives()
        await at_ana.signs_in(ana)
        await at_ana.opens("Trip")
        field, options = at_ana.composer, at_ana.page.get_by_role("option")
        await field.press_sequentially("see @Be")
        await expect(options).to_have_count(1)
        await field.press("Escape")
        await expect(options).to_have_count(0)
        await field.press_sequentially("n")
        await expect(options).to_have_count(0)
        await field.press("Enter")
        await at_ana.sees("see @Ben")
        await at_ana.sees_tick("see @Ben", "sent")
        assert (await ben.looks_at(team))["mention_count"] == 1
        await at_ana.chooses("Edit", "see @Ben")
        await field.fill("see nobody")
        await field.press("Enter")
        await at_ana.sees("see nobody")  # the shown text came back from the server
        assert (await ben.looks_at(team))["mention_count"] == 0


async def test_notifications_are_chosen_by_a_member_and_for_the_group(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        team = await ana.gathers(ben)
        at_ana, at_ben = await arrives(), await arrives()
        for visitor, person in ((at_ana, ana), (at_ben, ben)):
            await visitor.signs_in(person)
            await visitor.opens("Trip")
            await visitor.page.get_by_role("button", name="Details", exact=True).click()
        mine = at_ben.page.get_by_label("Notify me of")
        await expect(mine).to_have_value("all")
        await mine.select_option("Only mentions of me")
        await expect(at_ben.page.get_by_text("switched off for everybody")).to_have_count(0)
        ours = at_ana.page.get_by_label("Notifications of this group")
        await expect(at_ben.page.get_by_label("Notifications of this group")).to_have_count(0)
        await expect(ours).to_be_checked()
        await ours.uncheck()
        await expect(at_ben.page.get_by_text("switched off for everybody")).to_be_visible()
        await expect(ours).not_to_be_checked()
        body = await ben.looks_at(team)
        assert (body["settings"], body["me"]["notification_level"]) == ({"notifications_enabled": False}, "mentions")
