"""Two browsers: messages, typing, ticks, unread counts, edits."""

import re
import time

from playwright.async_api import expect

from tests.browser.conftest import Arrives
from tests.harness.people import People
from tests.waiting import DEADLINE


async def test_two_people_talk_in_two_browsers(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana, at_ben = await arrives(), await arrives()
        await at_ana.signs_in(ana)
        await at_ben.signs_in(ben)
        await at_ana.opens("Ben")
        await at_ana.writes("Hello Ben")
        await at_ana.composer.press_sequentially("second line")
        await at_ana.composer.press("Shift+Enter")
        await at_ana.composer.press_sequentially("with a break")
        await at_ana.composer.press("Enter")
        await expect(at_ben.badge("Ana")).to_have_text("2")
        assert await at_ben.page.title() == "(2) Chatsite"
        await at_ben.opens("Ana")
        await at_ben.sees("Hello Ben")
        await expect(at_ben.badge("Ana")).to_have_count(0)
        await at_ben.writes("Hello Ana")
        await at_ana.sees("Hello Ana")
        assert await at_ana.texts() == ["Hello Ben", "second line\nwith a break", "Hello Ana"]


async def test_ticks_turn_delivered_and_then_read(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana = await arrives()
        await at_ana.signs_in(ana)
        await at_ana.opens("Ben")
        await at_ana.writes("are you there?")
        await at_ana.sees_tick("are you there?", "sent")
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        await at_ana.sees_tick("are you there?", "delivered")
        await at_ben.opens("Ana")
        await at_ana.sees_tick("are you there?", "read")


async def test_typing_is_seen_while_it_lasts(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana, at_ben = await arrives(), await arrives()
        await at_ana.signs_in(ana)
        await at_ben.signs_in(ben)
        await at_ana.opens("Ben")
        await at_ben.opens("Ana")
        await at_ben.composer.press_sequentially("hmm, let me think", delay=60)
        await expect(at_ana.page.locator(".typing-bubble")).to_be_visible()
        await expect(at_ana.page.locator(".header-subtitle")).to_have_text("typing…")
        await at_ben.composer.press("Enter")
        await at_ana.sees("hmm, let me think")
        await expect(at_ana.page.locator(".typing-bubble")).to_have_count(0)


async def test_presence_turns_from_online_to_last_seen(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana = await arrives()
        await at_ana.signs_in(ana)
        await at_ana.opens("Ben")
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        await expect(at_ana.page.locator(".header-subtitle")).to_have_text("online")
        await expect(at_ana.row("Ben").locator(".avatar")).to_have_attribute("data-presence", "online")
        await at_ben.context.close()
        await expect(at_ana.page.locator(".header-subtitle")).to_have_text(re.compile("last seen"))


async def test_a_message_is_quoted_edited_and_deleted(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana, at_ben = await arrives(), await arrives()
        await at_ana.signs_in(ana)
        await at_ben.signs_in(ben)
        await at_ana.opens("Ben")
        await at_ben.opens("Ana")
        await at_ana.writes("Lunch at noon?")
        await at_ben.sees("Lunch at noon?")
        await at_ben.chooses("Reply", "Lunch at noon?")
        await at_ben.writes("Gladly")
        await expect(at_ana.bubble("Gladly").locator(".quote-line")).to_have_text("Lunch at noon?")
        await at_ana.chooses("Edit", "Lunch at noon?")
        await expect(at_ana.composer).to_have_value("Lunch at noon?")
        await at_ana.writes("Lunch at one?")
        await at_ben.sees("Lunch at one?")
        await expect(at_ben.bubble("Lunch at one?").locator(".meta")).to_contain_text("edited")
        await at_ana.chooses("Delete for everyone", "Lunch at one?")
        await at_ana.page.get_by_role("button", name="Delete").click()
        await expect(at_ben.page.locator(".deleted-text")).to_have_text("Message deleted")
        await expect(at_ben.bubble("Gladly").locator(".quote-line")).to_have_text("Message deleted")


async def test_markup_is_shown_as_text(people: People, arrives: Arrives):
    attack = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> & <b>bold</b>"
    async with people("ana", "ben", connected=False) as (ana, ben):
        group = await ana.gathers(ben, name="<script>document.title='owned'</script>")
        await ana.patches("/users/me", {"display_name": "<b onclick=alert(1)>Ana</b>"})
        await ana.posts_message(attack, to=group)
        await ana.posts_message("javascript:alert(1) https://example.org/?q=<i>", to=group)
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        await at_ben.opens("<script>document.title='owned'</script>")
        await at_ben.sees(attack)
        await expect(at_ben.page.locator(".sender")).to_have_text("<b onclick=alert(1)>Ana</b>")
        await expect(at_ben.page.locator(".message img, .message script, .message b")).to_have_count(0)
        addresses = await at_ben.page.locator(".text a").evaluate_all("links => links.map((link) => link.href)")
        assert addresses == ["https://example.org/?q="]
        assert "owned" not in await at_ben.page.title()


async def test_a_long_history_loads_while_scrolling_and_keeps_the_position(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        for number in range(1, 131):
            await ana.posts_message(f"number {number}", to=direct)
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        await at_ben.opens("Ana")
        await at_ben.sees("number 130")
        scroller = at_ben.page.locator(".scroller")
        await scroller.hover()
        until = time.monotonic() + DEADLINE
        while not await at_ben.bubble("number 1").count() and time.monotonic() < until:
            await at_ben.page.mouse.wheel(0, -700)
            await at_ben.page.wait_for_timeout(50)
        await at_ben.sees("number 1")
        texts = await at_ben.texts()
        assert texts == [f"number {number}" for number in range(1, 131)]
        position = await scroller.evaluate("element => element.scrollTop")
        await ana.posts_message("one more", to=direct)
        await expect(at_ben.page.locator(".pill")).to_contain_text("new message")
        assert abs(await scroller.evaluate("element => element.scrollTop") - position) < 200
        await at_ben.page.locator(".pill").click()
        await expect(at_ben.bubble("one more")).to_be_in_viewport()
        await expect(at_ben.badge("Ana")).to_have_count(0)


async def test_a_hidden_page_receives_but_does_not_read(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana, at_ben = await arrives(), await arrives()
        await at_ben.context.add_init_script(
            "Object.defineProperty(document, 'visibilityState', {get: () => window.isAway ? 'hidden' : 'visible'})"
        )
        await at_ana.signs_in(ana)
        await at_ben.signs_in(ben)
        await at_ana.opens("Ben")
        await at_ben.opens("Ana")
        await at_ben.page.evaluate("window.isAway = true")
        await at_ana.writes("look here")
        await at_ben.sees("look here")
        await at_ana.sees_tick("look here", "delivered")
        await expect(at_ben.badge("Ana")).to_have_text("1")
        await at_ben.page.evaluate("window.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")
        await at_ana.sees_tick("look here", "read")
        await expect(at_ben.badge("Ana")).to_have_count(0)


async def test_a_location_is_a_card_with_a_geo_link(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        at_ben = await arrives(geolocation={"latitude": 46.05, "longitude": 14.5}, permissions=["geolocation"])
        await at_ben.signs_in(ben)
        await at_ben.opens("Ana")
        location = {"latitude": 52.5, "longitude": 13.4, "label": "The old mill"}
        await ana.posts_message("", to=direct, message_type="location", metadata=location)
        card = at_ben.page.locator(".theirs .location-card")
        await expect(card).to_have_attribute("href", "geo:52.5,13.4")
        await expect(card.locator(".location-label")).to_have_text("The old mill")
        await at_ben.page.get_by_role("button", name="Share my location").click()
        await at_ben.page.get_by_role("button", name="Share", exact=True).click()
        await expect(at_ben.page.locator(".mine .location-card")).to_have_attribute("href", "geo:46.05,14.5")
        await expect(at_ben.page.locator(".mine .ticks")).to_have_attribute("data-delivery", "sent")


async def test_the_page_forbids_foreign_and_inline_scripts(arrives: Arrives):
    visitor = await arrives()
    answer = await visitor.page.request.get("/")
    policy = answer.headers["content-security-policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";") if rule.strip()}
    assert rules["script-src"] == ["'self'"]
    assert rules["style-src"] == ["'self'"]
    assert rules["connect-src"] == ["'self'"]
    page = await answer.text()
    assert not any(mark in page for mark in ("<style", " style=", "javascript:", " onclick"))
