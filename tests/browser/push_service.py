"""A push service's part, played by the browser's debugging protocol: headless Chromium knows no real one."""

import json
from typing import Any

from playwright.async_api import CDPSession, Page

from tests.waiting import until

REGISTER = """async () => {
    const registration = await navigator.serviceWorker.register("/service-worker.js", { type: "module" });
    await navigator.serviceWorker.ready;
    return registration.scope;
}"""
SHOWN = """async () => {
    const registration = await navigator.serviceWorker.getRegistration("/");
    return (await registration.getNotifications()).map(
        ({ title, body, tag, data }) => ({ title, body, tag, data }),
    );
}"""


class PushService:
    """Delivers pushes to the worker of one page's browser and looks at what it shows."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self.page = page
        self._session = session
        self._registrations: dict[str, str] = {}
        session.on("ServiceWorker.workerRegistrationUpdated", self._note)

    @classmethod
    async def of(cls, page: Page) -> "PushService":
        """Allow notifications, register the worker and wait until it can be given pushes."""
        await page.context.grant_permissions(["notifications"])
        session = await page.context.new_cdp_session(page)
        service = cls(page, session)
        await session.send("ServiceWorker.enable")
        await page.evaluate(REGISTER)
        return service

    def _note(self, told: dict[str, Any]) -> None:
        for one in told["registrations"]:
            if not one["isDeleted"]:
                self._registrations[one["scopeURL"]] = one["registrationId"]

    async def delivers(self, payload: dict[str, Any] | str) -> None:
        """Push a payload; the worker handles it afterwards."""
        origin = await self.page.evaluate("location.origin")
        await until(lambda: f"{origin}/" in self._registrations)
        data = payload if isinstance(payload, str) else json.dumps(payload)
        await self._session.send(
            "ServiceWorker.deliverPushMessage", {"origin": origin, "registrationId": self._registrations[f"{origin}/"], "data": data}
        )

    async def shown(self) -> list[dict[str, Any]]:
        """Return the notifications that are shown."""
        return list(await self.page.evaluate(SHOWN))
