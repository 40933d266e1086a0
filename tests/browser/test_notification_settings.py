"""The notification settings: this device, and the requests that each change sends."""

from typing import Any
from urllib.parse import quote

from playwright.async_api import Locator, expect

from tests.browser.conftest import Arrives
from tests.browser.fake_notifications import ENDPOINT, FakeNotifications, gets_a_push_service
from tests.browser.visitor import Visitor
from tests.harness.people import People
from tests.waiting import until

TURN_ON = "Turn on notifications on this device"
WORKERS = "navigator.serviceWorker.getRegistrations().then((all) => all.length)"


async def opens_settings(visitor: Visitor) -> Locator:
    await visitor.page.get_by_role("button", name="My profile").click()
    await visitor.page.get_by_role("button", name="Notification settings").click()
    return visitor.page.get_by_role("dialog", name="Notification settings")


async def test_a_server_without_web_push_says_so(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives()
        fake = await FakeNotifications.at(visitor)
        fake.public_key = None
        await visitor.signs_in(ana)
        dialog = await opens_settings(visitor)
        await expect(dialog.get_by_text("This server is not set up")).to_be_visible()
        await expect(dialog.get_by_role("button", name=TURN_ON)).to_be_hidden()


async def test_a_browser_that_blocks_notifications_says_so(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives()
        await FakeNotifications.at(visitor)
        await visitor.signs_in(ana)
        await visitor.page.evaluate("() => { Object.defineProperty(Notification, 'permission', { value: 'denied' }); }")
        dialog = await opens_settings(visitor)
        await expect(dialog.get_by_text("This browser blocks notifications")).to_be_visible()


async def test_a_push_service_that_does_not_answer_leaves_no_registration(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives()
        await visitor.context.grant_permissions(["notifications"])
        fake = await FakeNotifications.at(visitor)
        await visitor.signs_in(ana)
        dialog = await opens_settings(visitor)
        await dialog.get_by_role("button", name=TURN_ON).click()
        await expect(dialog.get_by_role("alert").filter(has_text="push service does not answer")).to_be_visible()
        await expect(dialog.get_by_role("button", name=TURN_ON)).to_be_focused()
        assert await visitor.page.evaluate(WORKERS) == 0
        assert not [path for _, path, _ in fake.asked if path.startswith("device-tokens")]
        # Chromium complains about push in private windows.
        visitor.complaints = [said for said in visitor.complaints if "incognito" not in said]


async def test_a_device_registers_at_each_start_until_it_is_turned_off(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives()
        await gets_a_push_service(visitor)
        fake = await FakeNotifications.at(visitor)
        await visitor.signs_in(ana)
        dialog = await opens_settings(visitor)
        await dialog.get_by_role("button", name=TURN_ON).click()
        await expect(dialog.get_by_text("On. You get notifications")).to_be_visible()
        fields = {"device_token": ENDPOINT, "platform": "web", "keys": {"p256dh": "p", "auth": "a"}}
        assert ("POST", "device-tokens", fields) in fake.asked
        fake.asked.clear()
        await visitor.page.reload()
        await visitor.is_online()
        await until(lambda: ("POST", "device-tokens", fields) in fake.asked)
        dialog = await opens_settings(visitor)
        await dialog.get_by_role("button", name="Turn off").click()
        await expect(dialog.get_by_role("button", name=TURN_ON)).to_be_visible()
        assert ("DELETE", f"device-tokens/{quote(ENDPOINT, safe='')}", None) in fake.asked
        assert await visitor.page.evaluate(WORKERS) == 0


async def test_signing_out_ends_the_pushes_of_the_device(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives()
        await gets_a_push_service(visitor)
        fake = await FakeNotifications.at(visitor)
        await visitor.signs_in(ana)
        dialog = await opens_settings(visitor)
        await dialog.get_by_role("button", name=TURN_ON).click()
        await expect(dialog.get_by_text("On. You get notifications")).to_be_visible()
        await dialog.get_by_role("button", name="Close").click()
        await visitor.page.get_by_role("button", name="Sign out").click()
        await visitor.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        await expect(visitor.page.get_by_role("heading", name="Welcome back")).to_be_visible()
        assert ("DELETE", f"device-tokens/{quote(ENDPOINT, safe='')}", None) in fake.asked
        assert await visitor.page.evaluate(WORKERS) == 0


async def test_each_change_is_sent_at_once(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives(timezone_id="Europe/Vienna")
        fake = await FakeNotifications.at(visitor)
        await visitor.signs_in(ana)
        dialog = await opens_settings(visitor)

        async def sends(expected: dict[str, Any]) -> None:
            await until(lambda: any(method == "PATCH" for method, _, _ in fake.asked))
            assert fake.changes() == [expected]

        await dialog.get_by_label("Only when I am mentioned").check()
        await sends({"level": "mentions"})
        # The next radio button, by keyboard.
        await dialog.get_by_label("Only when I am mentioned").press("ArrowDown")
        await sends({"level": "none"})
        await dialog.get_by_label("Show sender and text").press("Space")
        await sends({"preview": True})
        await dialog.get_by_label("Send an e-mail").uncheck()
        await sends({"email": False})
        quiet = {"from": "22:00", "until": "07:00", "days": [0, 1, 2, 3, 4, 5, 6], "time_zone": "Europe/Vienna"}
        await dialog.get_by_label("Send nothing at these times").check()
        await sends({"do_not_disturb": quiet})
        await dialog.get_by_label("From").fill("21:30")
        await sends({"do_not_disturb": quiet | {"from": "21:30"}})
        await dialog.get_by_label("Sunday").uncheck()
        await sends({"do_not_disturb": quiet | {"from": "21:30", "days": [0, 1, 2, 3, 4, 5]}})
        await dialog.get_by_label("Send nothing at these times").uncheck()
        await sends({"do_not_disturb": None})
        await expect(dialog.get_by_label("From")).to_be_hidden()


async def test_a_pause_has_an_end_and_can_be_ended_early(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives(timezone_id="Europe/Vienna")
        fake = await FakeNotifications.at(visitor)
        await visitor.signs_in(ana)
        dialog = await opens_settings(visitor)
        await dialog.get_by_role("button", name="Until tomorrow, 8:00").press("Enter")
        await expect(dialog.get_by_text("Paused until tomorrow, 8:00")).to_be_visible()
        await expect(dialog.get_by_role("button", name="Resume")).to_be_focused()
        (change,) = fake.changes()
        assert change["paused_until"][10:] in ("T07:00:00.000Z", "T06:00:00.000Z")
        await dialog.get_by_role("button", name="Resume").press("Enter")
        await expect(dialog.get_by_text("not paused")).to_be_visible()
        assert fake.changes() == [{"paused_until": None}]


async def test_a_refusal_is_shown_at_its_field(people: People, arrives: Arrives):
    async with people("ana", connected=False) as (ana,):
        visitor = await arrives()
        fake = await FakeNotifications.at(visitor)
        await visitor.signs_in(ana)
        dialog = await opens_settings(visitor)
        await dialog.get_by_label("Send nothing at these times").check()
        fake.refusal = {"do_not_disturb.until": "must differ from the beginning"}
        await dialog.get_by_label("Until", exact=True).fill("22:00")
        await expect(dialog.get_by_label("Until", exact=True)).to_have_accessible_description(
            "must differ from the beginning"
        )
        await expect(dialog.get_by_label("Until", exact=True)).to_have_attribute("aria-invalid", "true")
        await expect(dialog.get_by_label("Until", exact=True)).to_have_value("22:00")
        fake.refusal = {"email": "this account has no address"}
        await dialog.get_by_label("Send an e-mail").click()
        mail = dialog.get_by_label("Send an e-mail")
        await expect(mail).to_have_accessible_description("this account has no address")
        await expect(mail).to_be_checked()
        fake.asked.clear()
        await dialog.get_by_label("From").fill("")
        await expect(dialog.get_by_label("From")).to_have_accessible_description("Choose a time.")
        assert fake.changes() == []
        visitor.complaints = [said for said in visitor.complaints if "400" not in said]
