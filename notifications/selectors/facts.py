"""What the decision about a push is given: gathered for many devices at once, with the same queries for one."""

import datetime
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import redis
from django.conf import settings
from django.db.models import Q, Sum
from django.db.models.expressions import F

from accounts.selectors import ended_sessions, kept_apart
from conversations.models import Participant
from messaging.models import Message
from notifications import decision
from notifications.decision import Level, Outcome
from notifications.do_not_disturb import DoNotDisturb
from notifications.models import Delivery, Preferences, PushDevice
from notifications.selectors.breakers import FAILURES_TO_OPEN, failing
from presence.store import Activity, store

# So many newer messages of a conversation are asked whether one goes to a device in the place of an older one.
LOOKED_AT = 200


@dataclass(slots=True)
class Facts:
    """All that is known of one message and one device, and the decision that follows."""

    device: PushDevice
    breaker: str
    message: decision.Message
    recipient: decision.Recipient
    state: decision.Device
    newer_id: UUID | None
    preferences: Preferences

    def decide(self, now: datetime.datetime) -> decision.Decision:
        """Decide now, with the patience of the settings."""
        return decision.decide(self.message, self.recipient, self.state, now, patience())


def patience() -> decision.Patience:
    """Return how long things count on this server."""
    pace = settings.NOTIFICATION_PACE
    return decision.Patience(
        seconds_to_live=pace.live, active_seconds=pace.active, active_patience_seconds=pace.active_patience
    )


def facts_of(message: Message, devices: Sequence[PushDevice]) -> Iterator[Facts]:
    """Yield what is known of a message, with its conversation, for each device, with its token; few queries for all."""
    users = {device.user_id for device in devices}
    places = {
        place.user_id: place
        for place in Participant.objects.filter(
            conversation_id=message.conversation_id, user_id__in=users, left_at=None
        )
    }
    said = Preferences.objects.in_bulk(users)
    preferences = {user_id: said.get(user_id) or Preferences(user_id=user_id) for user_id in users}
    apart = kept_apart([message.sender_id])[message.sender_id] if message.sender_id else set()
    activity = _activity(users)
    ended = ended_sessions([str(device.session_id) for device in devices])
    newer = _newer(message, devices)
    names = {device.pk: breaker_of(device) for device in devices}
    mentioned = _mentioned(message)
    of_message = decision.Message(
        sequence=message.sequence,
        created_at=message.created_at,
        is_deleted=message.deleted_at is not None,
        conversation_notifies=message.conversation.notifications_enabled,
    )
    for device in devices:
        newer_id = newer.get(device.pk)
        yield Facts(
            device=device,
            breaker=names[device.pk],
            message=of_message,
            recipient=_recipient(
                places.get(device.user_id),
                preferences[device.user_id],
                activity[str(device.user_id)],
                is_apart=device.user_id in apart,
                is_mentioned=device.user_id in mentioned,
            ),
            state=decision.Device(
                is_signed_in=str(device.session_id) not in ended,
                has_newer=newer_id is not None,
                open_until=_open_until(names[device.pk]),
            ),
            newer_id=newer_id,
            preferences=preferences[device.user_id],
        )


def unread_total(user_id: UUID) -> int:
    """Return how many unread messages a person has in all their conversations: what a badge shows."""
    places = Participant.objects.filter(user_id=user_id, left_at=None).order_by()
    counted = places.aggregate(
        unread=Sum(
            F("conversation__message_count") - F("read_message_count") - (F("sent_count") - F("read_sent_count"))
        )
    )
    return counted["unread"] or 0


def breaker_of(device: PushDevice) -> str:
    """Return what is left alone together with a device's provider: with Web Push, each push service by itself."""
    if device.web_push is None:
        return device.provider
    return f"{device.provider}:{urlsplit(device.web_push.registration_id).hostname}"[:255]


def _open_until(name: str) -> datetime.datetime | None:
    """Return until when a provider is left alone."""
    breaker = failing().get(name)
    return breaker.open_until if breaker is not None and breaker.failures >= FAILURES_TO_OPEN else None


def _recipient(
    place: Participant | None, preferences: Preferences, activity: Activity, *, is_apart: bool, is_mentioned: bool
) -> decision.Recipient:
    if place is None:
        return decision.Recipient(is_member=False)
    return decision.Recipient(
        history_from=place.history_from,
        last_read_sequence=place.last_read_sequence,
        is_apart=is_apart,
        is_mentioned=is_mentioned,
        muted_until=place.muted_until,
        levels=(Level(place.notification_level), Level(preferences.level)),
        wants_push=preferences.push,
        paused_until=preferences.paused_until,
        is_busy=activity.busy,
        do_not_disturb=quiet_of(preferences),
        active_at=datetime.datetime.fromtimestamp(activity.active_at, datetime.UTC) if activity.active_at else None,
    )


def quiet_of(preferences: Preferences) -> DoNotDisturb:
    """Return when somebody does not want to be disturbed."""
    return DoNotDisturb(
        preferences.quiet_from,
        preferences.quiet_until,
        frozenset(map(int, preferences.quiet_days)),
        preferences.time_zone,
    )


def _activity(users: Collection[UUID]) -> dict[str, Activity]:
    """Return what people do; nothing, while the store is away: better a push too many than one too few."""
    names = [str(user_id) for user_id in users]
    try:
        return store().activity(names)
    except redis.RedisError:
        return dict.fromkeys(names, Activity())


def _newer(message: Message, devices: Sequence[PushDevice]) -> dict[UUID, UUID]:
    """Return for each device the delivery of the newest message of the conversation that waits behind this one.

    Or was sent before it: an older message that comes late does not take the place of a newer one.
    """
    messages = Message.objects.filter(
        conversation_id=message.conversation_id, sequence__gt=message.sequence, deleted_at=None
    )
    newest = list(messages.order_by("-sequence").values_list("id", flat=True)[:LOOKED_AT])
    if not newest:
        return {}
    newer = Delivery.objects.filter(
        Q(next_at__isnull=False) | Q(outcome=Outcome.SENT),
        message_id__in=newest,
        device_id__in=[device.pk for device in devices],
        kind=Delivery.Kind.MESSAGE,
    )
    return dict(newer.order_by("sequence").values_list("device_id", "id"))


def _mentioned(message: Message) -> set[UUID]:
    return {UUID(mention["user_id"]) for mention in message.mentions}
