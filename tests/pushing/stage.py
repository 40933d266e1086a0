"""A site with workers, a broker and providers, and devices that register their push tokens."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from tests.harness.device import Device
from tests.harness.providers.apns import Apns
from tests.harness.providers.fcm import Fcm
from tests.harness.providers.smtp import Smtp
from tests.harness.providers.web_push import Subscription, WebPush
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.servers import Profile, Site
from tests.harness.services import Services
from tests.harness.workers import Worker
from tests.waiting import DEADLINE

Broker = Literal["memory", "redis", "rabbitmq"]
# Short enough to wait for.
TIMINGS = {
    "PUSH_DELAY_SECONDS": "0.3",
    "PUSH_SWEEP_SECONDS": "0.2",
    "PUSH_ACTIVE_SECONDS": "3",
    "PUSH_ACTIVE_WAIT_SECONDS": "600",
    "DIGEST_AFTER_MINUTES": "0.02",
    "PROVIDERS_TIMEOUT_SECONDS": "6",
    # With tests on every processor, a worker of low priority would not run for minutes.
    "WORKER_NICENESS": "0",
}


class Providers:
    """Apple, Google, a browser's push service and a mail server."""

    def __init__(self) -> None:
        self.apns, self.fcm, self.web_push, self.smtp = Apns(), Fcm(), WebPush(), Smtp()

    def start(self) -> None:
        for each in self.all:
            each.start()

    def stop(self) -> None:
        for each in self.all:
            each.stop()

    def recover(self) -> None:
        """End the faults that a test made, and forget what was received."""
        for each in self.all:
            if not each.program.running:
                each.start()
            each.thaw()
            each.works()
            each.forget()

    @property
    def all(self) -> tuple[Apns, Fcm, WebPush, Smtp]:
        return self.apns, self.fcm, self.web_push, self.smtp

    def settings(self) -> dict[str, str]:
        """Return the settings with which the product reaches them."""
        apns, fcm, web_push, smtp = (each.settings() for each in self.all)
        return {
            "APNS_KEY": apns["key"],
            "APNS_KEY_ID": apns["key_id"],
            "APNS_TEAM_ID": apns["team_id"],
            "APNS_TOPIC": apns["topic"],
            "APNS_URL": apns["url"],
            "APNS_SANDBOX_URL": apns["sandbox_url"],
            "FCM_SERVICE_ACCOUNT": fcm["service_account"],
            "FCM_URL": fcm["url"],
            "VAPID_SUBJECT": "mailto:staff@example.org",
            "PROVIDERS_CA_FILE": apns["ca_file"],
            "ALLOWED_PRIVATE_ADDRESSES": web_push["allow"],
            "EMAIL_URL": f"smtp://{smtp['host']}:{smtp['port']}",
            "MAIL_FROM": "Chatsite <chat@example.org>",
        }


class Stage:
    """One site with its workers. In the embedded profile the server is the worker."""

    def __init__(
        self,
        profile: Profile,
        services: Services,
        providers: Providers,
        *,
        broker: Broker = "redis",
        rabbitmq: RabbitMQ | None = None,
        workers: int = 1,
        **settings: str,
    ) -> None:
        self.providers = providers
        own = TIMINGS | providers.settings() | settings
        if rabbitmq is not None and broker == "rabbitmq":
            own["CELERY_BROKER_URL"] = rabbitmq.url
        self.site = Site(profile, services, servers=1, settings=own)
        names = [f"worker-{number}" for number in range(1, workers + 1)] if profile == "production" else []
        self.workers = [Worker(name, self.site.environment, self.site.folder) for name in names]

    def start(self) -> None:
        self.site.start()
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        for worker in self.workers:
            if worker.running:
                worker.kill()
        self.site.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the workers within the block, so that nothing is decided or pushed meanwhile."""
        for worker in self.workers:
            worker.program.freeze()
        try:
            yield
        finally:
            for worker in self.workers:
                worker.program.thaw()

    def time_passes(self, seconds: int, *, under_way: bool = False) -> None:
        """Move the times of waiting rows `seconds` into the past, as if that time had passed.

        :param under_way: also deliveries that a process has claimed; only when that process is dead.
        """
        waiting = {
            "delivery": ("next_at", "hinted_at"),
            "fanout": ("next_at", "hinted_at"),
            "breaker": ("open_until",),
        }
        for table, columns in waiting.items():
            older = ", ".join(f"{column} = {self._earlier(column, seconds)}" for column in columns)
            where = " WHERE is_under_way = FALSE" if table == "delivery" and not under_way else ""
            self.site.rows(f"UPDATE notifications_{table} SET {older}{where} RETURNING 1")  # noqa: S608

    def _earlier(self, column: str, seconds: int) -> str:
        if self.site.profile == "production":
            return f"{column} - interval '{seconds} seconds'"
        return f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-{seconds} seconds')"

    def outcomes(self, device: Device | None = None) -> list[str]:
        """Return the outcomes of the deliveries of messages (to a person), in the order of the messages."""
        query = "SELECT outcome FROM notifications_delivery WHERE kind = 'message'"
        if device is None:
            return [row[0] for row in self.site.rows(query + " ORDER BY message_id, id")]
        query += " AND user_id = %s ORDER BY message_id, id"
        return [row[0] for row in self.site.rows(query, self.site.stored_id(device.person.id))]

    async def comes_to(self, device: Device, *outcomes: str, timeout: float = DEADLINE) -> None:
        """Wait until the deliveries of messages to a person have these outcomes."""
        await becomes(
            lambda: self.outcomes(device) == list(outcomes), lambda: self.description(device), timeout=timeout
        )

    def description(self, device: Device | None = None) -> str:
        """Return the outcomes and the logs, for the text of a failed wait."""
        logs = "\n".join(worker.log()[-3000:] for worker in self.workers)
        return f"outcomes {self.outcomes(device)}\n{logs}{self.site.servers[0].log()[-3000:]}"


async def becomes(
    condition: Callable[[], Any], describe: Callable[[], str] = lambda: "", *, timeout: float = DEADLINE
) -> None:
    """Wait until a condition holds.

    :raises AssertionError: it does not in time.
    """
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"it did not come to that within {timeout} s: {describe()}")
        await asyncio.sleep(0.05)


async def has_iphone(device: Device, apns: Apns, *, sandbox: bool = False) -> str:
    """Register a token of APNs for a device; return it."""
    token = apns.device(sandbox=sandbox)
    environment = "sandbox" if sandbox else "production"
    await device.posts("/device-tokens", {"device_token": token, "platform": "ios", "environment": environment})
    return token


async def has_android(device: Device, fcm: Fcm) -> str:
    """Register a token of FCM for a device; return it."""
    token = fcm.device()
    await device.posts("/device-tokens", {"device_token": token, "platform": "android"})
    return token


async def has_browser(device: Device, web_push: WebPush) -> Subscription:
    """Register a browser's subscription for a device; return it."""
    key = (await device.gets("/notifications/vapid-key"))["public_key"]
    subscription = web_push.subscribe(key)
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    body = {"device_token": subscription.endpoint, "platform": "web", "keys": keys}
    await device.posts("/device-tokens", body)
    return subscription


async def writes(device: Device, conversation: Any, content: str = "hi", **fields: Any) -> dict[str, Any]:
    """Send a message over REST; return it."""
    body = {"conversation_id": conversation["id"], "content": content, **fields}
    message: dict[str, Any] = await device.posts("/messages", body)
    return message
