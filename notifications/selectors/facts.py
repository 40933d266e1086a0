"""The arguments of the decision about a push, gathered for one device or many with one statement."""

import datetime
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit
from uuid import UUID

import redis
from django.conf import settings

from accounts.selectors import is_opened_with
from notifications import decision
from notifications.decision import Level
from notifications.do_not_disturb import DoNotDisturb
from notifications.models import Preferences, PushDevice
from notifications.selectors.breakers import FAILURES_TO_OPEN, failing
from notifications.selectors.reading import DeliveryRow, DeviceRow, device_rows
from presence.store import Activity, store
from realtime.database.rows import as_moment, as_uuid

_DEFAULTS = Preferences()


@dataclass(slots=True)
class PushAddress:
    """Where a device is pushed to. `keys`: p256dh and auth of a browser. `badge`: the number that was last pushed."""

    device_id: UUID
    user_id: UUID
    provider: PushDevice.Provider
    token: str
    keys: tuple[str, str] | None
    sandbox: bool
    badge: int


@dataclass(slots=True)
class PushFacts:
    """All facts about one device and one message. `message` is None if the row of the message is gone."""

    address: PushAddress
    breaker: str
    message: decision.MessageFacts | None
    recipient: decision.RecipientFacts
    device: decision.DeviceFacts

    def decide(self, now: datetime.datetime) -> decision.PushDecision:
        """Return the decision at this time, with the timings of the settings."""
        if self.message is None:
            return decision.PushDecision(decision.PushOutcome.DELETED)
        return decision.decide(self.message, self.recipient, self.device, now, decision_timings())


def decision_timings() -> decision.DecisionTimings:
    """Return the timings of the settings as the decision takes them."""
    timings = settings.NOTIFICATION_TIMINGS
    return decision.DecisionTimings(
        seconds_to_live=timings.live,
        active_seconds=timings.active,
        active_wait_seconds=timings.active_wait,
    )


def facts_of_message(message_id: UUID, device_ids: Sequence[UUID]) -> Iterator[PushFacts]:
    """Yield the facts for each of the devices that still exists; `has_newer` is not looked at and False."""
    return facts_from_rows(device_rows(message_id, device_ids))


def facts_from_rows(rows: Sequence[DeviceRow]) -> Iterator[PushFacts]:
    """Yield the facts of each row, with the person's activity of now."""
    activity = _activity({str(as_uuid(row.user_id)) for row in rows})
    for row in rows:
        address = _address(row)
        breaker = breaker_of(address.provider, address.token)
        yield PushFacts(
            address=address,
            breaker=breaker,
            message=_message(row),
            recipient=_recipient(row, activity[str(address.user_id)]),
            device=decision.DeviceFacts(
                is_signed_in=row.session_is_open and is_opened_with(row.password, row.fingerprint),
                has_newer=isinstance(row, DeliveryRow) and row.newer_id is not None,
                open_until=_open_until(breaker),
            ),
        )


def breaker_of(provider: str, token: str) -> str:
    """Return the name of a push's breaker: the provider; for Web Push, one for each push service."""
    if provider != PushDevice.Provider.WEB_PUSH:
        return provider
    return f"{provider}:{urlsplit(token).hostname}"[:255]


def quiet_of(preferences: Preferences | DeviceRow) -> DoNotDisturb:
    """Return a person's do-not-disturb times."""
    return DoNotDisturb(
        preferences.quiet_from,
        preferences.quiet_until,
        frozenset(map(int, preferences.quiet_days)),
        preferences.time_zone,
    )


def _address(row: DeviceRow) -> PushAddress:
    return PushAddress(
        device_id=as_uuid(row.device_id),
        user_id=as_uuid(row.user_id),
        provider=PushDevice.Provider(row.provider),
        token=row.token,
        keys=(row.p256dh, row.auth) if row.p256dh is not None and row.auth is not None else None,
        sandbox=row.sandbox,
        badge=row.badge,
    )


def _message(row: DeviceRow) -> decision.MessageFacts | None:
    if row.sequence is None:
        return None
    return decision.MessageFacts(
        sequence=row.sequence,
        created_at=as_moment(row.created_at),
        is_deleted=bool(row.is_deleted),
        conversation_notifies=row.conversation_notifies,
    )


def _recipient(row: DeviceRow, activity: Activity) -> decision.RecipientFacts:
    if row.participant_id is None:
        return decision.RecipientFacts(is_member=False)
    preferences = _DEFAULTS if row.preferences_of is None else row
    return decision.RecipientFacts(
        history_from=row.history_from,
        last_read_sequence=row.last_read_sequence,
        is_blocked=bool(row.is_blocked),
        is_mentioned=as_uuid(row.user_id) in _mentioned(row.mentions),
        muted_until=_moment(row.muted_until),
        levels=(Level(row.notification_level), Level(preferences.level)),
        wants_push=preferences.push,
        paused_until=_moment(preferences.paused_until),
        is_busy=activity.busy,
        do_not_disturb=quiet_of(preferences),
        active_at=datetime.datetime.fromtimestamp(activity.active_at, datetime.UTC) if activity.active_at else None,
    )


def _moment(value: datetime.datetime | None) -> datetime.datetime | None:
    return None if value is None else as_moment(value)


@lru_cache(maxsize=16)
def _mentioned(mentions: str) -> frozenset[UUID]:
    """Return the ids in a message's stored mentions. Cached: all rows of a fan-out have the same."""
    return frozenset(UUID(mention["user_id"]) for mention in json.loads(mentions))


def _open_until(breaker: str) -> datetime.datetime | None:
    """Return until when the breaker is open; None if it is closed."""
    known = failing().get(breaker)
    return known.open_until if known is not None and known.failures >= FAILURES_TO_OPEN else None


def _activity(users: Collection[str]) -> dict[str, Activity]:
    """Return people's activity. Without Redis nobody is active: a push too many is better than one too few."""
    try:
        return store().activity(users)
    except redis.RedisError:
        return dict.fromkeys(users, Activity())
