"""The statement that reads the facts for decisions: of one message, for one device or thousands.

Each row costs a handful of look-ups by index, whatever the sizes of groups and tables.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, time
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, models
from push_notifications.models import APNSDevice, GCMDevice, WebPushDevice

from accounts.models import DeviceSession, User
from accounts.selectors import NOT_ENDED, is_blocked_pair_in, oldest_cookie
from conversations.models import Conversation, Participant
from conversations.selectors import unread_in_sql
from messaging.models import Message
from notifications.decision import PushOutcome
from notifications.models import Delivery, Preferences, PushDevice
from realtime.database.rows import Columns, Statement, as_uuid, ids, ids_in, matching, one_id, one_moment

# How many newer messages of the conversation are checked for one that supersedes an older one on the device.
NEWER_MESSAGES_CHECKED = 200


class DeviceRow(msgspec.Struct):
    """A device with its token and session, a message, and the person's participant row and preferences.

    Columns of a row that does not exist are None. Ids and times are as the database driver gives them.
    """

    device_id: Any
    user_id: Any
    provider: str
    sandbox: bool
    badge: int
    token: str
    p256dh: str | None
    auth: str | None
    session_is_open: bool
    fingerprint: str
    password: str
    sequence: int | None
    created_at: datetime
    is_deleted: bool
    mentions: Any
    conversation_notifies: bool
    participant_id: int | None
    history_from: int
    last_read_sequence: int
    muted_until: datetime | None
    notification_level: str
    is_blocked: bool
    preferences_of: Any
    push: bool
    preview: bool
    level: str
    quiet_from: time | None
    quiet_until: time | None
    quiet_days: str
    time_zone: str
    paused_until: datetime | None


class DeliveryRow(DeviceRow):
    """A `DeviceRow` with what an attempt needs: other deliveries to the device, the badge, and the preview."""

    other_under_way: bool
    newer_id: Any
    unread: int
    sender_name: str | None
    conversation_name: str
    message_type: str
    content: str | None


def unread_of(user: str) -> str:
    """Return the SQL for the number of unread messages of a person (an SQL expression) in all their conversations."""
    return (
        f"(SELECT CAST(COALESCE(SUM({unread_in_sql('p', 'c')}), 0) AS integer) "  # noqa: S608 - names only, as everywhere here
        f"FROM {_table(Participant)} AS p JOIN {_table(Conversation)} AS c ON c.id = p.conversation_id "
        f"WHERE p.user_id = {user} AND p.left_at IS NULL)"
    )


def _table(model: type[models.Model]) -> str:
    return model._meta.db_table


_READ = {
    "device_id": "v.id",
    "user_id": "v.user_id",
    "provider": "v.provider",
    "sandbox": "v.sandbox",
    "badge": "v.badge",
    "token": "COALESCE(ta.registration_id, tf.registration_id, tw.registration_id)",
    "p256dh": "tw.p256dh",
    "auth": "tw.auth",
    "session_is_open": NOT_ENDED,
    "fingerprint": "s.password_fingerprint",
    "password": "u.password",
    "sequence": "m.sequence",
    "created_at": "m.created_at",
    "is_deleted": "m.deleted_at IS NOT NULL",
    "mentions": "m.mentions",
    "conversation_notifies": "c.notifications_enabled",
    "participant_id": "p.id",
    "history_from": "p.history_from",
    "last_read_sequence": "p.last_read_sequence",
    "muted_until": "p.muted_until",
    "notification_level": "p.notification_level",
    "is_blocked": is_blocked_pair_in("v.user_id", "m.sender_id"),
    "preferences_of": "f.user_id",
    "push": "f.push",
    "preview": "f.preview",
    "level": "f.level",
    "quiet_from": "f.quiet_from",
    "quiet_until": "f.quiet_until",
    "quiet_days": "f.quiet_days",
    "time_zone": "f.time_zone",
    "paused_until": "f.paused_until",
    # Whether a worker is working on another push of the conversation to this device.
    "other_under_way": (
        f"EXISTS (SELECT 1 FROM {_table(Delivery)} AS o WHERE o.device_id = v.id AND o.is_under_way"  # noqa: S608
        " AND o.next_at > %s AND o.conversation_id = m.conversation_id AND o.id <> r.id)"
    ),
    "newer_id": (
        f"(SELECT nd.id FROM (SELECT id, sequence FROM {_table(Message)}"  # noqa: S608
        " WHERE conversation_id = m.conversation_id AND sequence > m.sequence AND deleted_at IS NULL"
        f" ORDER BY sequence DESC LIMIT {NEWER_MESSAGES_CHECKED}) AS nm"
        f" JOIN {_table(Delivery)} AS nd ON nd.message_id = nm.id AND nd.device_id = v.id"
        f" AND nd.kind = '{Delivery.Kind.MESSAGE}' AND (nd.next_at IS NOT NULL OR nd.outcome = '{PushOutcome.SENT}')"
        " ORDER BY nm.sequence DESC LIMIT 1)"
    ),
    "unread": unread_of("v.user_id"),
    "sender_name": "COALESCE(NULLIF(x.display_name, ''), x.username)",
    "conversation_name": "c.name",
    "message_type": "m.message_type",
    "content": "CASE WHEN f.preview THEN m.content END",
}
_PAIRS = Columns(Delivery, "message_id", "device_id")


def device_rows(message_id: UUID, device_ids: Sequence[UUID]) -> list[DeviceRow]:
    """Return a row for each of the devices that still exists, with the message."""
    if not device_ids:
        return []
    pairs = [(message_id, device_id) for device_id in device_ids]
    with connection.cursor() as cursor:
        cursor.execute(_of_pairs(), [oldest_cookie(), *_PAIRS.parameters(pairs)])
        return [DeviceRow(*values) for values in cursor if values[0] is not None]


def delivery_statement(delivery_id: UUID, lease: datetime, now: datetime) -> Statement:
    """Return the statement that reads the `DeliveryRow` of a delivery that was claimed with this end of the lease."""
    return Statement(_of_delivery(), [oldest_cookie(), one_moment(now), one_id(delivery_id), one_moment(lease)])


def users_without_unread(user_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these people have no unread message in any conversation."""
    text = f"SELECT u.id FROM {_table(User)} AS u WHERE {ids_in('u.id')} AND {unread_of('u.id')} = 0"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(text, [ids(user_ids)])
        return {as_uuid(user_id) for (user_id,) in cursor}


@cache
def _of_pairs() -> str:
    return _select(DeviceRow, _PAIRS.source)


@cache
def _of_delivery() -> str:
    taken = f"(SELECT id, message_id, device_id FROM {_table(Delivery)} WHERE id = %s AND next_at = %s) AS r"  # noqa: S608
    return _select(DeliveryRow, taken, matching(User, "x", "x.id = m.sender_id"))


def _select(wanted: type[DeviceRow], source: str, *more: str) -> str:
    """Return the SELECT of the fields of a kind of row; `source`, called r, has `message_id` and `device_id`.

    Its first parameter is `oldest_cookie`; the second, for a `DeliveryRow`, is the time.
    """
    joins = (
        matching(PushDevice, "v", "v.id = r.device_id"),
        matching(APNSDevice, "ta", "ta.id = v.apns_id"),
        matching(GCMDevice, "tf", "tf.id = v.fcm_id"),
        matching(WebPushDevice, "tw", "tw.id = v.web_push_id"),
        matching(DeviceSession, "s", "s.id = v.session_id"),
        matching(User, "u", "u.id = v.user_id"),
        matching(Message, "m", "m.id = r.message_id"),
        matching(Conversation, "c", "c.id = m.conversation_id"),
        matching(
            Participant,
            "p",
            "p.conversation_id = m.conversation_id AND p.user_id = v.user_id AND p.left_at IS NULL",
        ),
        matching(Preferences, "f", "f.user_id = v.user_id"),
    )
    fields = ", ".join(_READ[field] for field in wanted.__struct_fields__)
    return f"SELECT {fields} FROM {source} {' '.join((*joins, *more))}"  # noqa: S608
