"""Bodies and frames of devices, preferences, the list in the app, and traces."""

import datetime
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from msgspec import UNSET, Meta, UnsetType, field

from conversations.frames import NO_NUL, Level, PageSize
from realtime.wire.bodies import Body, Id, Request, Time, in_utc
from realtime.wire.frames import Frame

Platform = Literal["ios", "android", "web"]
NotificationKind = Literal["mention", "reply", "added"]
Token = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^[!-~]+$(?!\n)")]
# "22:00"
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]
TIME_ZONES = frozenset(available_timezones())


# --- Devices ------------------------------------------------------------------------------


class WebPushKeys(Request, kw_only=True):
    """The keys of a browser's subscription: its public key and its secret, as base64url."""

    p256dh: Annotated[str, Meta(min_length=1, max_length=88, pattern=NO_NUL)]
    auth: Annotated[str, Meta(min_length=1, max_length=24, pattern=NO_NUL)]


class RegisterDevice(Request, kw_only=True):
    """The push address of this device session: a token of APNs or FCM, or the endpoint of a browser's subscription.

    `environment` is that of the iOS app's build; `keys` are those of a browser's subscription.
    """

    device_token: Token
    platform: Platform
    environment: Literal["production", "sandbox"] = "production"
    keys: WebPushKeys | None = None

    def __post_init__(self) -> None:
        if (self.platform == "web") != (self.keys is not None):
            raise ValueError("keys: needed for a browser, and only there")


class DeviceBody(Body, kw_only=True):
    """A registered device."""

    device_token: str
    platform: Platform
    created_at: Time


class VapidKey(Body, kw_only=True):
    """The public key that a browser subscribes with; null if this server has no Web Push."""

    public_key: str | None


# --- Preferences --------------------------------------------------------------------------


class Quiet(Body, kw_only=True, rename={"begins": "from", "ends": "until"}):
    """Do not disturb: a span of the day, on some days of the week, in a time zone.

    `days` are the days on which the span begins; 0 is Monday.
    """

    begins: str
    ends: str
    days: list[int]
    time_zone: str


class PreferencesBody(Body, kw_only=True):
    """What I want to be notified of."""

    push: bool
    email: bool
    preview: bool
    level: Level
    do_not_disturb: Quiet | None
    paused_until: Time | None


class SetQuiet(Request, kw_only=True, rename={"begins": "from", "ends": "until"}):
    """Do not disturb: a span of the day, on some days of the week, in a time zone."""

    begins: TimeOfDay
    ends: TimeOfDay
    days: Annotated[list[Annotated[int, Meta(ge=0, le=6)]], Meta(min_length=1, max_length=7)] = field(
        default_factory=lambda: list(range(7))
    )
    time_zone: Annotated[str, Meta(max_length=64)] = "UTC"

    def __post_init__(self) -> None:
        if self.time_zone not in TIME_ZONES:
            raise ValueError("time_zone: no such time zone; give an IANA name such as Europe/Vienna")
        if len(set(self.days)) < len(self.days):
            raise ValueError("days: a day is named twice")


class UpdatePreferences(Request, kw_only=True):
    """Changes of my preferences; what is absent stays."""

    push: bool | UnsetType = UNSET
    email: bool | UnsetType = UNSET
    preview: bool | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    do_not_disturb: SetQuiet | UnsetType | None = UNSET
    paused_until: Time | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        self.paused_until = in_utc("paused_until", self.paused_until)


# --- The list in the app ------------------------------------------------------------------


class NotificationBody(Body, kw_only=True):
    """A mention of me, a reply to me, or that I was added to a group.

    It also counts as read once I have read the conversation up to `sequence`; `read_at` is then when I did.
    """

    id: Id
    kind: NotificationKind
    conversation_id: Id
    message_id: Id | None
    sequence: int
    actor_user_id: Id | None
    created_at: Time
    read_at: Time | None


class NotificationPage(Body, kw_only=True):
    """My notifications, newest first, and the number of all that are unread."""

    results: list[NotificationBody]
    next: str | None
    unread_count: int


class NotificationQuery(Request, kw_only=True):
    """Which page of my notifications; the cursor is the id of the last one of the page before."""

    cursor: UUID | None = None
    limit: PageSize = settings.LIMITS.page_size


class ReadNotifications(Request, kw_only=True):
    """Up to which of my notifications I have read."""

    up_to: UUID


class NotificationFrame(Frame, tag="notification", kw_only=True):
    """The viewer was mentioned, was replied to, or was added to a group."""

    notification: NotificationBody
    unread_count: int


class NotificationsRead(Frame, tag="notifications_read", kw_only=True):
    """The viewer read their notifications up to one of them, on this device or another."""

    up_to: Id
    unread_count: int


# --- The trace of a message ---------------------------------------------------------------


class Reach(Body, kw_only=True):
    """Whether and when the message was delivered to and read by one person."""

    user_id: Id
    delivered_at: Time | None
    read_at: Time | None


class TraceBody(Body, kw_only=True):
    """What its sender may see of a message's trace.

    It does not say who got a push, or why not: that would reveal who has muted or blocked whom, and who sleeps.
    `notified_at` is when the others were notified, whether or not they have devices and want that; null if not yet.
    """

    message_id: Id
    sequence: int
    stored_at: Time
    notified_at: Time | None
    recipients: list[Reach]


def time_of(text: str) -> datetime.time:
    """Return the time of day of a text such as "22:00"."""
    return datetime.time.fromisoformat(text)
