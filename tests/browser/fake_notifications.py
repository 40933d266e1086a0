"""REST answers about notifications that a test chooses, such as refusals and names that the server never sends."""

import json
from typing import Any

from playwright.async_api import Route

from tests.browser.visitor import Visitor

KEY = "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM"
ENDPOINT = "https://push.example/send/a?b=c%2Fd"
# Subscribes without a push service: headless Chromium has none.
SUBSCRIBES = """(() => {
    let subscription = null;
    PushManager.prototype.getSubscription = async () => subscription;
    PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
        subscription = {
            endpoint: %r,
            options: { applicationServerKey: applicationServerKey.buffer },
            toJSON: () => ({ endpoint: subscription.endpoint, keys: { p256dh: "p", auth: "a" } }),
            unsubscribe: async () => { subscription = null; return true; },
        };
        return subscription;
    };
})()"""


class FakeNotifications:
    """Answers in place of the server, and records the requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.page: dict[str, Any] = {"results": [], "next": None, "unread_count": 0}
        self.public_key: str | None = KEY
        self.refusal: dict[str, str] | None = None
        self.preferences: dict[str, Any] = {
            "push": True,
            "email": True,
            "preview": False,
            "level": "all",
            "do_not_disturb": None,
            "paused_until": None,
        }

    @classmethod
    async def at(cls, visitor: Visitor) -> "FakeNotifications":
        """Answer the requests of a browser. Call this before its person signs in."""
        fake = cls()
        for addresses in ("**/api/v1/notifications**", "**/api/v1/notifications/**", "**/api/v1/device-tokens**"):
            await visitor.context.route(addresses, fake._answer)
        await visitor.context.route("**/api/v1/device-tokens/**", fake._answer)
        return fake

    def changes(self) -> list[Any]:
        """Return the requested changes of preferences, and clear the record."""
        found = [body for method, _, body in self.asked if method == "PATCH"]
        self.asked.clear()
        return found

    async def _answer(self, route: Route) -> None:
        path = route.request.url.split("/api/v1/", 1)[1]
        method, body = route.request.method, route.request.post_data_json
        self.asked.append((method, path, body))
        if method == "PATCH" and self.refusal is not None:
            refusal = {"code": "invalid", "message": "refused", "fields": self.refusal}
            await route.fulfill(status=400, content_type="application/json", body=json.dumps(refusal))
            return
        if method == "PATCH":
            self.preferences |= body
        if method == "DELETE" or path == "notifications/read":
            await route.fulfill(status=204)
            return
        answers = {
            "notifications/preferences": self.preferences,
            "notifications/vapid-key": {"public_key": self.public_key},
            "device-tokens": {"device_token": ENDPOINT, "platform": "web", "created_at": "2026-01-01T00:00:00Z"},
        }
        await route.fulfill(json=answers.get(path, self.page))


async def gets_a_push_service(visitor: Visitor) -> None:
    """Allow notifications in a browser and let it subscribe, after a reload of its page."""
    await visitor.context.grant_permissions(["notifications"])
    await visitor.context.add_init_script(SUBSCRIBES % ENDPOINT)
    await visitor.page.reload()
