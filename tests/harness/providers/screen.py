"""What the screens of devices show after the pushes that reached them: a model of phones and browsers.

It decides how often a person sees a message: which push replaces another, and which is shown at all.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.harness.providers.received import Received


@dataclass(slots=True)
class Shown:
    """One notification on a screen."""

    key: str  # a later push with this key replaces it; unique for a push without one
    title: str | None  # text, or the name of the app's text (APNs loc-key, FCM title_loc_key)
    body: str | None
    thread: str | None  # APNs thread-id; elsewhere conversation_id of the data
    payload: Any
    pushes: list[Received] = field(default_factory=list)  # that were shown in this place, the last one last


@dataclass(slots=True)
class Screen:
    """One device: its notifications, the oldest first, and the number on the app's icon."""

    shown: list[Shown] = field(default_factory=list)
    badge: int | None = None
    silent: list[Received] = field(default_factory=list)  # pushes of which nothing is shown


TagOf = Callable[[Received], str | None]


def tag_of_web_push(record: Received) -> str | None:
    """Return the tag under which a service worker shows a message: the payload's, else the header Topic."""
    tag = record.payload.get("tag") if isinstance(record.payload, dict) else None
    return str(tag) if tag else record.headers.get("topic")


def visible(received: Iterable[Received], *, web_tag: TagOf = tag_of_web_push) -> dict[str, Screen]:
    """Return what each device shows, by token; only what was delivered counts, answered or not.

    :param web_tag: for Web Push, where the page's service worker decides: the tag it uses.
    """
    screens: dict[str, Screen] = {}
    for record in received:
        if not record.delivered or not record.token:
            continue
        screen = screens.setdefault(record.token, Screen())
        payload = record.payload if isinstance(record.payload, dict) else {}
        if "aps" in payload:
            shown = _of_apns(record, payload, screen)
        elif "message" in payload:
            shown = _of_fcm(record, payload["message"], screen)
        else:
            shown = _of_web_push(record, payload, screen, web_tag)
        if shown is None:
            screen.silent.append(record)
            continue
        same = next((old for old in screen.shown if old.key == shown.key), None)
        shown.pushes = [*(same.pushes if same else []), record]
        screen.shown = [old for old in screen.shown if old is not same] + [shown]
    return screens


def _of_apns(record: Received, payload: dict[str, Any], screen: Screen) -> Shown | None:
    aps = payload["aps"]
    if record.headers.get("apns-push-type") == "background":
        return None
    if type(aps.get("badge")) is int:
        screen.badge = aps["badge"]
    alert = aps.get("alert")
    if not alert:
        return None
    texts = alert if isinstance(alert, dict) else {"body": alert}
    return Shown(
        key=record.headers.get("apns-collapse-id") or f"push {record.number}",
        title=texts.get("title") or texts.get("title-loc-key"),
        body=texts.get("body") or texts.get("loc-key"),
        thread=aps.get("thread-id"),
        payload=payload,
    )


def _of_fcm(record: Received, message: dict[str, Any], screen: Screen) -> Shown | None:
    android = message.get("android") or {}
    texts = {**(message.get("notification") or {}), **(android.get("notification") or {})}
    data = {**(message.get("data") or {}), **(android.get("data") or {})}
    count = texts.get("notification_count", data.get("badge"))
    if str(count).isdecimal():
        screen.badge = int(str(count))
    if not texts:
        return None
    return Shown(
        key=texts.get("tag") or f"push {record.number}",
        title=texts.get("title") or texts.get("title_loc_key"),
        body=texts.get("body") or texts.get("body_loc_key"),
        thread=data.get("conversation_id"),
        payload=message,
    )


def _of_web_push(record: Received, payload: dict[str, Any], screen: Screen, web_tag: TagOf) -> Shown | None:
    if str(payload.get("badge")).isdecimal():
        screen.badge = int(str(payload["badge"]))
    if payload.get("kind", "message") not in ("message", "test") or not payload:
        return None
    return Shown(
        key=web_tag(record) or f"push {record.number}",
        title=payload.get("title"),
        body=payload.get("body"),
        thread=payload.get("conversation_id"),
        payload=payload,
    )
