"""The trace of a message from storage to each device: what its sender may see, and what staff may see."""

import datetime
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from accounts.models import DeviceSession, User
from conversations.models import Conversation, Participant
from conversations.selectors import current_participants
from messaging.models import Message, ReceiptChange
from messaging.selectors import Acknowledgement, acknowledgements, receipts_of
from messaging.selectors.messages import visible_message
from notifications import frames
from notifications.models import Delivery, FanOut, PushDevice
from presence.selectors import SocketReach, Written, reach_at
from realtime.database import clock
from realtime.wire.errors import NotFound

# At most so many members and so many people with pushes are shown: a trace is a page for people to read.
SHOWN_PEOPLE = 500


@dataclass(slots=True)
class TraceDevice:
    """One device session of a member in a trace; `session` is None for a push address whose session is gone.

    `socket` is None if nothing is known: the person could not see the message then, or the records of that time are
    no longer kept.
    """

    session: DeviceSession | None
    socket: SocketReach | None = None
    acknowledged: Acknowledgement | None = None
    pushes: list[Delivery] = field(default_factory=list)


@dataclass(slots=True)
class TracePerson:
    """One person in a trace. `was_member`: when the message was sent, they were a member and could see it."""

    user: User
    was_member: bool
    delivered_at: datetime.datetime | None = None
    read_at: datetime.datetime | None = None
    devices: list[TraceDevice] = field(default_factory=list)


@dataclass(slots=True)
class Trace:
    """The trace of a message, for staff."""

    message: Message
    conversation: Conversation
    fan_out: FanOut | None
    people: list[TracePerson]


def trace_for_sender(user_id: UUID, message_id: UUID) -> frames.TraceBody:
    """Return what the sender of a message may see of its trace.

    :raises NotFound: no such message, or the user did not send it, or may not see it.
    """
    message, _ = visible_message(user_id, message_id)
    if message.sender_id != user_id:
        raise NotFound("message")
    return frames.TraceBody(
        message_id=message.id,
        sequence=message.sequence,
        stored_at=message.created_at,
        notified_at=_notified_at(message),
        recipients=[
            frames.Reach(user_id=each.user_id, delivered_at=each.delivered_at, read_at=each.read_at)
            for each in receipts_of(user_id, message_id)
        ],
    )


def _notified_at(message: Message) -> datetime.datetime | None:
    """Return when others were notified of a message; it does not depend on whether anybody has a device."""
    due_at = message.created_at + datetime.timedelta(seconds=settings.NOTIFICATION_TIMINGS.push_delay)
    waits = FanOut.objects.filter(message_id=message.id, next_at__isnull=False).exists()
    return None if waits or clock.now() < due_at else due_at


def trace_for_staff(message_id: UUID) -> Trace | None:
    """Return the trace of a message to each person and device; None if there is no such message."""
    message = (
        Message.objects.select_related("conversation", "sender")
        .defer("content", "metadata")
        .filter(id=message_id)
        .first()
    )
    if message is None:
        return None
    pushes: dict[UUID, list[Delivery]] = defaultdict(list)
    for delivery in Delivery.objects.filter(message_id=message_id).select_related("user").order_by("id"):
        pushes[delivery.user_id].append(delivery)
    members = current_participants(message.conversation_id)[:SHOWN_PEOPLE]
    users = {member.user_id: member.user for member in members if member.user_id != message.sender_id}
    users |= {user_id: of_user[0].user for user_id, of_user in list(pushes.items())[:SHOWN_PEOPLE]}
    return Trace(
        message=message,
        conversation=message.conversation,
        fan_out=FanOut.objects.filter(message_id=message_id).first(),
        people=_people(message, users, pushes),
    )


def _people(message: Message, users: dict[UUID, User], pushes: dict[UUID, list[Delivery]]) -> list[TracePerson]:
    """Return each person's part of the trace, in the order of `users`."""
    were_members = _members_at(message, users)
    receipts = ReceiptChange.objects.filter(
        conversation_id=message.conversation_id,
        user_id__in=were_members,
        from_sequence__lt=message.sequence,
        up_to_sequence__gte=message.sequence,
    ).order_by("-id")
    received_at = {(receipt.user_id, receipt.kind): receipt.moved_at for receipt in receipts}
    devices = _devices(message, users, were_members, pushes)
    return [
        TracePerson(
            user=user,
            was_member=user_id in were_members,
            delivered_at=received_at.get((user_id, ReceiptChange.Kind.DELIVERED)),
            read_at=received_at.get((user_id, ReceiptChange.Kind.READ)),
            devices=devices[user_id],
        )
        for user_id, user in users.items()
    ]


def _members_at(message: Message, user_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these people were members when a message was sent, and could see it.

    For a person who left and came back, the time before they came back is not known.
    """
    return set(
        Participant.objects.filter(
            Q(left_at=None) | Q(left_at__gt=message.created_at),
            conversation_id=message.conversation_id,
            user_id__in=user_ids,
            history_from__lte=message.sequence,
        )
        .order_by()
        .values_list("user_id", flat=True)
    )


def _devices(
    message: Message, user_ids: Collection[UUID], were_members: set[UUID], pushes: dict[UUID, list[Delivery]]
) -> dict[UUID, list[TraceDevice]]:
    """Return each person's device sessions that were open when the message was sent, or that it was pushed to."""
    push_devices = {push.device_id for of_user in pushes.values() for push in of_user}
    session_of = dict(PushDevice.objects.filter(id__in=push_devices).values_list("id", "session_id"))
    living = Q(revoked_at=None) | Q(revoked_at__gte=message.created_at) | Q(id__in=session_of.values())
    sessions = {
        session.pk: session
        for session in DeviceSession.objects.filter(living, user_id__in=user_ids)
        .only("id", "user_id", "device_name", "device_id", "created_at", "revoked_at")
        .order_by("created_at", "id")
    }
    theirs = [session.pk for session in sessions.values() if session.user_id in were_members]
    acknowledged = acknowledgements(message.conversation_id, message.sequence, theirs)
    kept_since = clock.now() - datetime.timedelta(days=settings.DELIVERY_RECORD_DAYS)
    kept = message.created_at > kept_since
    reached = reach_at(message.created_at, were_members) if kept else {}
    unreached = SocketReach(Written.NO_CONNECTION)
    found: dict[UUID, dict[UUID | None, TraceDevice]] = {user_id: {} for user_id in user_ids}
    for id, session in sessions.items():
        known = kept and session.user_id in were_members
        found[session.user_id][id] = TraceDevice(
            session=session,
            socket=reached.get(id, unreached) if known else None,
            acknowledged=acknowledged.get(id),
        )
    for user_id in found:
        for push in pushes.get(user_id, ()):
            # An address moves to another session when another person signs in on the device.
            session_id = session_of.get(push.device_id)
            key = session_id if session_id in found[user_id] else None
            found[user_id].setdefault(key, TraceDevice(session=None)).pushes.append(push)
    return {user_id: list(devices.values()) for user_id, devices in found.items()}
