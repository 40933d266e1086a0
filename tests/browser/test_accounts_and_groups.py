"""Signing up and out, starting conversations, groups and their members."""

from secrets import token_hex

from playwright.async_api import expect

from tests.browser.conftest import Arrives
from tests.browser.visitor import PHONE
from tests.harness.device import PASSWORD
from tests.harness.people import People
from tests.harness.rest import refused


async def test_a_newcomer_signs_up_and_sends_a_message(people: People, arrives: Arrives):
    async with people("ben", connected=False) as (ben,):
        newcomer = await arrives()
        page = newcomer.page
        await page.get_by_role("button", name="Create an account").click()
        await page.get_by_label("User name").fill(f"zoe-{token_hex(4)}")
        await page.get_by_label("Your name").fill("Zoe Ngata")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign up").click()
        await newcomer.is_online()
        await expect(page.locator(".list-note")).to_contain_text("No conversations yet")
        await page.get_by_role("button", name="New conversation").click()
        await page.get_by_label("Search people").fill(ben.username)
        await page.get_by_role("button", name=ben.username).click()
        await page.get_by_role("button", name="Start conversation").click()
        await newcomer.writes("Hello, I am new here")
        await newcomer.sees_tick("Hello, I am new here", "sent")
        (conversation,) = await ben.lists_conversations()
        assert conversation["last_message"]["content"] == "Hello, I am new here"
        assert conversation["display_name"] == "Zoe Ngata"


async def test_mute_pin_and_archive_apply_in_all_own_browsers(people: People, arrives: Arrives):
    async with people("ana", "ben", "cleo", connected=False) as (ana, ben, cleo):
        await ana.talks_to(cleo)
        await ben.posts_message("first", to=await ana.talks_to(ben))
        at_ana, elsewhere = await arrives(), await arrives()
        await at_ana.signs_in(ana)
        await elsewhere.signs_in(ana)
        page, other = at_ana.page, elsewhere.page
        await expect(page.locator(".row-name")).to_have_text(["Ben", "Cleo"])
        await at_ana.opens("Cleo")
        await page.get_by_role("button", name="Details", exact=True).click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Pin to the top").click()
        for seen in (page, other):
            await expect(seen.locator(".row-name")).to_have_text(["Cleo", "Ben"])
        await dialog.get_by_text("Mute", exact=True).click()
        await dialog.get_by_role("button", name="For 8 hours").click()
        await expect(dialog.get_by_text("Muted until")).to_be_visible()
        await expect(other.locator(".row", has_text="Cleo").get_by_text("Muted")).to_be_attached()
        await dialog.get_by_role("button", name="Unmute").click()
        await dialog.get_by_role("button", name="Archive", exact=True).click()
        await expect(other.locator(".row-name")).to_have_text(["Ben"])
        await other.get_by_role("button", name="Archived (1)").click()
        await expect(other.locator(".row-name")).to_have_text(["Cleo"])
        await dialog.get_by_role("button", name="Take out of the archive").click()
        await expect(other.locator(".row-name")).to_have_text(["Cleo", "Ben"])


async def test_a_block_and_its_end_show_in_both_browsers(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana, at_ben = await arrives(), await arrives()
        await at_ana.signs_in(ana)
        await at_ben.signs_in(ben)
        await at_ben.opens("Ana")
        await at_ana.opens("Ben")
        page = at_ana.page
        await page.get_by_role("button", name="Details", exact=True).click()
        await page.get_by_role("button", name="Block Ben").click()
        await page.get_by_role("button", name="Block", exact=True).click()
        await expect(page.get_by_role("button", name="Unblock Ben")).to_be_visible()
        for seen in (page, at_ben.page):
            await expect(seen.get_by_text("You cannot write in this conversation.")).to_be_visible()
        await page.get_by_role("button", name="Unblock Ben").click()
        await expect(at_ben.page.get_by_text("You cannot write in this conversation.")).to_be_hidden()
        await at_ben.writes("after all")
        await at_ana.sees("after all")


async def test_scripts_cannot_read_a_credential(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        at_ana = await arrives()
        await at_ana.signs_in(ana)
        readable = await at_ana.page.evaluate("document.cookie")
        assert set(cookie.split("=")[0] for cookie in readable.split("; ")) == {"csrftoken"}
        stored = await at_ana.page.evaluate("JSON.stringify({...localStorage})")
        for cookie in await at_ana.context.cookies():
            if cookie["name"] != "csrftoken":
                assert cookie["httpOnly"]
                assert cookie["value"] not in stored


async def test_signing_out_clears_the_local_stores(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        await ben.posts_message("between us", to=direct)
        at_ana = await arrives()
        await at_ana.signs_in(ana)
        await at_ana.opens("Ben")
        await at_ana.sees("between us")
        await at_ana.lets_the_cache_be_written()
        await at_ana.page.get_by_role("button", name="My profile").click()
        await at_ana.page.get_by_role("button", name="Sign out").click()
        await at_ana.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        await expect(at_ana.page.get_by_role("heading", name="Welcome back")).to_be_visible()
        assert await at_ana.page.evaluate("localStorage.length") == 0
        left = await at_ana.page.evaluate(
            """() => new Promise((resolve) => {
                const opening = indexedDB.open("chatsite");
                opening.onsuccess = () => {
                    const records = opening.result.transaction(["conversations"]).objectStore("conversations").count();
                    records.onsuccess = () => resolve(records.result);
                };
            })"""
        )
        assert left == 0


async def test_a_revoked_session_ends_at_the_sign_in_page(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana = await arrives()
        await at_ana.signs_in(ana)
        sessions = await ana.gets("/auth/sessions")
        (of_browser,) = [session for session in sessions["results"] if not session["current"]]
        await ana.deletes(f"/auth/sessions/{of_browser['id']}")
        await expect(at_ana.page.get_by_role("heading", name="Welcome back")).to_be_visible()
        await expect(at_ana.page.get_by_role("alert")).to_contain_text("signed out")
        assert await at_ana.page.evaluate("localStorage.length") == 0


async def test_a_group_is_made_and_its_members_change(people: People, arrives: Arrives):
    async with people("ana", "ben", "cleo", "dan", connected=False) as (ana, ben, cleo, dan):
        at_ana, at_ben = await arrives(), await arrives()
        await at_ana.signs_in(ana)
        await at_ben.signs_in(ben)
        page = at_ana.page
        await page.get_by_role("button", name="New conversation").click()
        await page.get_by_role("button", name="New group").click()
        await page.get_by_label("Group name").fill("Book club")
        for other in (ben, cleo):
            await page.get_by_label("Search people").fill(other.username)
            await page.locator("button.person", has_text=other.username).click()
        await page.get_by_role("button", name="Create group").click()
        await expect(page.locator(".header-subtitle")).to_contain_text("3 members")
        await at_ben.opens("Book club")
        await expect(at_ben.page.locator(".system").first).to_contain_text("Ana created the group")

        await page.get_by_role("button", name="Details", exact=True).click()
        await page.get_by_role("button", name="Add people").click()
        await page.get_by_label("Search people").fill(dan.username)
        await page.locator("button.person", has_text=dan.username).click()
        await page.get_by_role("button", name="Add to group").click()
        await expect(page.locator(".details-line")).to_have_text("4 members")
        await expect(at_ben.page.locator(".system", has_text="Ana added Dan")).to_be_visible()

        await page.locator("summary", has_text="Ben").click()
        await page.get_by_role("button", name="Make admin").click()
        await expect(page.locator("summary", has_text="Ben").locator(".role")).to_have_text("Admin")

        await page.locator("summary", has_text="Dan").click()
        await page.get_by_role("button", name="Remove from group").click()
        await page.get_by_role("button", name="Remove", exact=True).click()
        await expect(page.locator(".details-line")).to_have_text("3 members")

        await at_ben.page.get_by_role("button", name="Details", exact=True).click()
        await at_ben.page.get_by_role("button", name="Edit group").click()
        await at_ben.page.get_by_label("Name", exact=True).fill("Reading club")
        await at_ben.page.get_by_role("button", name="Save").click()
        await expect(page.locator(".header-name")).to_have_text("Reading club")

        await at_ben.page.get_by_role("button", name="Leave group").click()
        await at_ben.page.get_by_role("button", name="Leave", exact=True).click()
        await expect(at_ben.row("Reading club")).to_have_count(0)
        await expect(page.locator(".details-line")).to_have_text("2 members")
        group = (await ana.lists_conversations())[0]
        with refused("not_found", status=404):
            await ben.gets(f"/conversations/{group['id']}")


async def test_a_removed_member_loses_the_conversation_at_once(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        group = await ana.gathers(ben, name="Short visit")
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        await at_ben.opens("Short visit")
        await ana.deletes(f"/conversations/{group['id']}/participants/{ben.id}")
        await expect(at_ben.row("Short visit")).to_have_count(0)
        await expect(at_ben.page.locator(".empty-pane")).to_be_visible()


async def test_a_phone_shows_either_the_list_or_the_conversation(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        await ana.posts_message("on the small screen", to=direct)
        phone = await arrives(**PHONE)
        await phone.signs_in(ben)
        await expect(phone.page.locator(".pane")).to_be_hidden()
        await phone.opens("Ana")
        await phone.sees("on the small screen")
        await expect(phone.page.locator(".sidebar")).to_be_hidden()
        await phone.writes("and back")
        await phone.sees_tick("and back", "sent")
        width = await phone.page.evaluate("document.documentElement.scrollWidth")
        assert width == 390
        await phone.page.get_by_role("button", name="Back to the list").click()
        await expect(phone.page.locator(".sidebar")).to_be_visible()
        await phone.page.go_back()
        await expect(phone.page.locator(".pane")).to_be_visible()


async def test_a_large_group_lists_everybody_on_demand(people: People, arrives: Arrives):
    names = [f"person{number}" for number in range(53)]
    async with people("ana", *names, connected=False) as (ana, *others):
        await ana.gathers(*others, name="Assembly")
        at_ana = await arrives()
        await at_ana.signs_in(ana)
        await at_ana.opens("Assembly")
        await at_ana.page.get_by_role("button", name="Details", exact=True).click()
        await expect(at_ana.page.locator(".people .person")).to_have_count(50)
        await at_ana.page.get_by_role("button", name="Show 4 more members").click()
        await expect(at_ana.page.locator(".people .person")).to_have_count(54)
