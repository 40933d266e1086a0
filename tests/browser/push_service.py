"""A push service, replaced by the debugging protocol of the browser: headless Chromium has no real one."""

import asyncio
import json
import time
from typing import Any

from playwright.async_api import CDPSession, Page

from tests.waiting import DEADLINE, until

# `ready` resolves while the worker is still activating; the debugging protocol cannot deliver to it then.
REGISTER = """async () => {
    await navigator.serviceWorker.register("/service-worker.js", { type: "module" });
    const { scope, active } = await navigator.serviceWorker.ready;
    while (active.state !== "activated") {
        await new Promise((changed) => active.addEventListener("statechange", changed, { once: true }));
    }
    return scope;
}"""
SHOWN = """async () => {
    const registration = await navigator.serviceWorker.getRegistration("/");
    return (await registration.getNotifications()).map(({ title, body, tag, data }) => ({ title, body, tag, data }));
}"""
POST_MESSAGE = "async (message) => (await navigator.serviceWorker.getRegistration('/')).active.postMessage(message)"
# A synthetic event: its handler runs, but the browser lets it neither keep the worker awake nor take the focus.
CLICK = """async () => {
    const [notification] = await registration.getNotifications();
    dispatchEvent(new NotificationEvent("notificationclick", { notification }));
}"""


class PushService:
    """Delivers pushes to the service worker of a page and reads the shown notifications.

    It reads them only when no push is being handled: a notification that Chromium is about to show is not yet among
    the displayed ones, and `getNotifications` removes it for good as one that was closed.
    """

    def __init__(self, page: Page, session: CDPSession) -> None:
        self.page = page
        self.scope = ""
        self._session = session
        self._registrations: dict[str, str] = {}
        self._delivered = 0
        self._handled = 0
        session.on("BackgroundService.backgroundServiceEventReceived", self._count)
        session.on("ServiceWorker.workerRegistrationUpdated", self._note)

    @classmethod
    async def of(cls, page: Page) -> "PushService":
        """Allow notifications, register the worker and wait until pushes can be delivered to it."""
        await page.context.grant_permissions(["notifications"])
        service = cls(page, await page.context.new_cdp_session(page))
        await service._session.send("ServiceWorker.enable")
        await service._session.send("BackgroundService.startObserving", {"service": "pushMessaging"})
        await service._session.send(
            "BackgroundService.setRecording", {"service": "pushMessaging", "shouldRecord": True}
        )
        service.scope = await page.evaluate(REGISTER)
        await until(lambda: service.scope in service._registrations)
        return service

    def _note(self, update: dict[str, Any]) -> None:
        for one in update["registrations"]:
            if not one["isDeleted"]:
                self._registrations[one["scopeURL"]] = one["registrationId"]

    def _count(self, event: dict[str, Any]) -> None:
        self._handled += event["backgroundServiceEvent"]["eventName"] == "Push event completed"

    async def delivers(self, payload: dict[str, Any] | str) -> None:
        """Push a payload; the worker handles it later."""
        self._delivered += 1
        await self._session.send(
            "ServiceWorker.deliverPushMessage",
            {
                "origin": self.scope.rstrip("/"),
                "registrationId": self._registrations[self.scope],
                "data": payload if isinstance(payload, str) else json.dumps(payload),
            },
        )

    async def shows(self, count: int, **fields: str) -> list[dict[str, Any]]:
        """Wait until each push is handled and this number of notifications is shown; return them.

        :param fields: of one of them

        :raises AssertionError: after `DEADLINE`, with the shown notifications.
        """
        await until(lambda: self._handled == self._delivered)
        shown: list[dict[str, Any]] = []
        last = time.monotonic() + DEADLINE
        while time.monotonic() < last:
            shown = await self.page.evaluate(SHOWN)
            fits = not fields or any(fields.items() <= one.items() for one in shown)
            if len(shown) == count and fits:
                return shown
            await asyncio.sleep(0.05)
        raise AssertionError(f"{shown} instead of {count} {fields}")

    async def gets_message(self, message: dict[str, Any]) -> None:
        """Post a message to the worker, as the page does."""
        await self.page.evaluate(POST_MESSAGE, message)

    async def clicks(self) -> None:
        """Dispatch a click on the notification to the worker."""
        (worker,) = self.page.context.service_workers
        await worker.evaluate(CLICK)
