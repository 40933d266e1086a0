"""A person at a browser: one context with one page, controlled in the terms of the product."""

import re
from typing import Any

from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from tests.harness.device import PASSWORD, Device
from tests.waiting import DEADLINE

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
expect.set_options(timeout=DEADLINE * 1_000)
# Console messages of the browser itself about a cut network; pages cannot prevent them.
OF_A_CUT = re.compile(r"net::ERR_|WebSocket connection to")


class Visitor:
    """A separate browser context: it shares no cookies and no local stores."""

    def __init__(self, context: BrowserContext, page: Page, address: str) -> None:
        self.context = context
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.network_is_cut = False
        self.is_attacked = False
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.is_attacked or self.complaints.append(f"uncaught: {error}"))

    @classmethod
    async def arrives(cls, browser: Browser, address: str, **options: Any) -> "Visitor":
        """Open the client's page in a new context."""
        context = await browser.new_context(
            base_url=address, **({"viewport": {"width": 1180, "height": 760}} | options)
        )
        context.set_default_timeout(DEADLINE * 1_000)
        page = await context.new_page()
        visitor = cls(context, page, address)
        await page.goto("/")
        return visitor

    def _hear(self, message: Any) -> None:
        expected = self.is_attacked or (self.network_is_cut and OF_A_CUT.search(message.text))
        if message.type != "error" or expected:
            return
        self.complaints.append(message.text)

    def has_no_complaints(self) -> None:
        """Assert that the page wrote no error to the console.

        :raises AssertionError: with the errors.
        """
        assert not self.complaints, self.complaints

    # --- Doing ---------------------------------------------------------------------------

    async def signs_in(self, person: Device, password: str = PASSWORD) -> None:
        """Sign in through the form and wait for the list."""
        await self.page.get_by_label("User name").fill(person.username)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.is_online()

    async def opens(self, name: str) -> None:
        """Open the conversation with this name in the list."""
        await self.row(name).click()
        await expect(self.page.locator(".header-name")).to_have_text(name)

    async def writes(self, text: str) -> None:
        """Write a message and send it with Enter."""
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def chooses(self, action: str, text: str) -> None:
        """Choose an action from the menu of the message with this text."""
        await self.bubble(text).click(button="right")
        await self.page.get_by_role("menuitem", name=action).click()

    async def lets_the_cache_be_written(self) -> None:
        """Wait until the snapshot in IndexedDB has the shown state: it is written 0.4 s after a change."""
        await self.page.wait_for_timeout(900)

    # --- Seeing ----------------------------------------------------------------------------

    async def is_online(self) -> None:
        """Wait until the list is connected and caught up."""
        await expect(self.page.locator(".sidebar")).to_have_attribute("data-link", "online")

    async def is_cut_off(self) -> None:
        """Wait until the client has noticed that the connection is gone."""
        await expect(self.page.locator(".sidebar")).to_have_attribute("data-link", re.compile("waiting|connecting"))

    async def sees(self, text: str) -> None:
        """Wait for exactly one message with this text."""
        await expect(self.bubble(text)).to_have_count(1)

    async def sees_tick(self, text: str, status: str) -> None:
        """Wait until the own message with this text shows the tick of a status."""
        await expect(self.bubble(text).locator(".ticks")).to_have_attribute("data-delivery", status)

    async def texts(self) -> list[str]:
        """Return the texts of the shown messages, in their order."""
        return await self.page.locator(".message .text").all_inner_texts()

    @property
    def composer(self) -> Locator:
        """The field in which messages are written."""
        return self.page.get_by_role("textbox", name="Message")

    def bubble(self, text: str) -> Locator:
        """The bubble with this text."""
        return self.page.locator(".bubble", has=self.page.locator(".text").get_by_text(text, exact=True))

    def row(self, name: str) -> Locator:
        """The row of a conversation in the list."""
        return self.page.locator(".row", has=self.page.locator(".row-name").get_by_text(name, exact=True))

    def badge(self, name: str) -> Locator:
        """The number of unread messages in a row."""
        return self.row(name).locator(".badge [aria-hidden]")
