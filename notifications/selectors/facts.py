"""What the decision about a push is given: gathered for many devices at once, with the same statement for one."""

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
from notifications.selectors.reading import DeliveryRow, Row, rows_of
from presence.store import Activity, store
from realtime.database.rows import as_moment, as_uuid

_DEFAULTS = Preferences()


@dataclass(slots=True)
class Address:
    """Where a device is pushed to. `keys` are those of a browser; `badge` is the number that it was told last."""

    device_id: UUID
    user_id: UUID
    provider: PushDevice.Provider
    token: str
    keys: tuple[str, str] | None
    sandbox: bool
    badge: int


@dataclass(slots=True)
class Facts:
    """All that is known of one device and one message, and the decision that follows. `message`: None if it is gone."""

    address: Address
    breaker: str
    message: decision.Message | None
    recipient: decision.Recipient
    state: decision.Device

    def decide(self, now: datetime.datetime) -> decision.Decision:
        """Decide now, with the patience of the settings."""
        if self.message is None:
            return decision.Decision(decision.Outcome.DELETED)
        return decision.decide(self.message, self.recipient, self.state, now, patience())


def patience() -> decision.Patience:
    """Return how long things count on this server."""
    pace = settings.NOTIFICATION_PACE
    return decision.Patience(
        seconds_to_live=pace.live, active_seconds=pace.active, active_patience_seconds=pace.active_patience
    )


def facts_of(message_id: UUID, device_ids: Sequence[UUID]) -> Iterator[Facts]:
    """Yield what is known of a message for each of the devices that is still there; nothing of newer messages."""
    return facts_in(rows_of(message_id, device_ids))


def facts_in(rows: Sequence[Row]) -> Iterator[Facts]:
    """Yield what is known of the device and the message of each row, with what its person does now."""
    activity = _activity({str(as_uuid(row.user_id)) for row in rows})
    for row in rows:
        address = _address(row)
        breaker = breaker_of(address.provider, address.token)
        yield Facts(
            address=address,
            breaker=breaker,
            message=_message(row),
            recipient=_recipient(row, activity[str(address.user_id)]),
            state=decision.Device(
                is_signed_in=row.session_is_open and is_opened_with(row.password, row.fingerprint),
                has_newer=isinstance(row, DeliveryRow) and row.newer_id is not None,
                open_until=_open_until(breaker),
            ),
        )


def breaker_of(provider: str, token: str) -> str:
    """Return what is left alone together with a provider: with Web Push, each push service by itself."""
    if provider != PushDevice.Provider.WEB_PUSH:
        return provider
    return f"{provider}:{urlsplit(token).hostname}"[:255]


def quiet_of(preferences: Preferences | Row) -> DoNotDisturb:
    """Return when somebody does not want to be disturbed."""
    return DoNotDisturb(
        preferences.quiet_from,
        preferences.quiet_until,
        frozenset(map(int, preferences.quiet_days)),
        preferences.time_zone,
    )


def _address(row: Row) -> Address:
    return Address(
        device_id=as_uuid(row.device_id),
        user_id=as_uuid(row.user_id),
        provider=PushDevice.Provider(row.provider),
        token=row.token,
        keys=(row.p256dh, row.auth) if row.p256dh is not None and row.auth is not None else None,
        sandbox=row.sandbox,
        badge=row.badge,
    )


def _message(row: Row) -> decision.Message | None:
    if row.sequence is None:
        return None
    return decision.Message(
        sequence=row.sequence,
        created_at=as_moment(row.created_at),
        is_deleted=bool(row.is_deleted),
        conversation_notifies=row.conversation_notifies,
    )


def _recipient(row: Row, activity: Activity) -> decision.Recipient:
    if row.place_id is None:
        return decision.Recipient(is_member=False)
    preferences = _DEFAULTS if row.preferences_of is None else row
    return decision.Recipient(
        history_from=row.history_from,
        last_read_sequence=row.last_read_sequence,
        is_apart=bool(row.is_apart),
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
    """Return whom the mentions of a message, as they are stored, name. The rows of a fan-out all have the same."""
    return frozenset(UUID(mention["user_id"]) for mention in json.loads(mentions))


def _open_until(breaker: str) -> datetime.datetime | None:
    """Return until when a provider is left alone."""
    known = failing().get(breaker)
    return known.open_until if known is not None and known.failures >= FAILURES_TO_OPEN else None


def _activity(users: Collection[str]) -> dict[str, Activity]:
    """Return what people do; nothing, while the store is away: better a push too many than one too few."""
    try:
        return store().activity(users)
    except redis.RedisError:
        return dict.fromkeys(users, Activity())
