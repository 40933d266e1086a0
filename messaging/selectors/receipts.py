"""Receipts per person and device, frames of receipt changes, unread counts."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from django.db.models import Min, OuterRef, QuerySet, Subquery

from conversations.event_registry import event_registry
from conversations.models import Conversation, Participant
from conversations.selectors import LISTED_PARTICIPANTS, current_participants, mention_count, unread_count
from messaging import frames
from messaging.models import DevicePosition, Message, ReceiptChange
from messaging.selectors.messages import visible_message
from realtime.database.rows import as_uuid, ids, ids_in, one_id, one_moment
from realtime.wire.frames import Frame

Kind = ReceiptChange.Kind


class Unread(NamedTuple):
    """A person's unread messages, and how many of these mention them, after the event `last_sequence`."""

    messages: int
    mentions: int
    last_sequence: int


def receipts_of(user_id: UUID, message_id: UUID) -> list[frames.ReceiptBody]:
    """Return when the message was delivered to, and read by, each other member who may see it.

    :raises NotFound: as `visible_message`.
    """
    message, _ = visible_message(user_id, message_id)
    members = current_participants(message.conversation_id).filter(history_from__lte=message.sequence)
    changes = ReceiptChange.objects.filter(
        conversation_id=message.conversation_id,
        from_sequence__lt=message.sequence,
        up_to_sequence__gte=message.sequence,
    )
    at = {(change.user_id, change.kind): change.moved_at for change in changes.order_by("-id")}
    return [
        frames.ReceiptBody(
            user_id=member.user_id,
            delivered_at=at.get((member.user_id, Kind.DELIVERED)),
            read_at=at.get((member.user_id, Kind.READ)),
        )
        for member in members
        if member.user_id != message.sender_id
    ]


class Acknowledgement(NamedTuple):
    """When a device acknowledged a message: at this time, or, unless `exact`, at this time or before."""

    at: datetime.datetime
    exact: bool


def acknowledgements(
    conversation_id: UUID, sequence: int, session_ids: Collection[UUID]
) -> dict[UUID, Acknowledgement]:
    """Return when these device sessions acknowledged a message; without those that did not, as far as recorded.

    The time is exact if the device was the first of its person. Otherwise it is the time of a recorded acknowledgement
    that covers the message; an earlier one may not have been recorded.
    """
    changes = ReceiptChange.objects.filter(
        conversation_id=conversation_id, up_to_sequence__gte=sequence, session_id__in=session_ids
    ).order_by()
    positions = DevicePosition.objects.filter(
        conversation_id=conversation_id, up_to_sequence__gte=sequence, session_id__in=session_ids
    )
    found: dict[UUID, Acknowledgement] = {}
    for session_id, at in chain(
        changes.values_list("session_id").annotate(first=Min("moved_at")),
        positions.values_list("session_id", "marked_at"),
    ):
        if session_id not in found or at < found[session_id].at:
            found[session_id] = Acknowledgement(at, exact=False)
    first = changes.filter(kind=Kind.DELIVERED, from_sequence__lt=sequence).values_list("session_id", "moved_at")
    for session_id, at in first:
        assert session_id is not None
        found[session_id] = Acknowledgement(at, exact=True)
    return found


def with_newest_message(changes: QuerySet[ReceiptChange]) -> QuerySet[ReceiptChange]:
    """Annotate each change with `newest_message_id`, the newest message that it covers."""
    covered = Message.objects.filter(
        conversation_id=OuterRef("conversation_id"), sequence__lte=OuterRef("up_to_sequence")
    ).order_by("-sequence")
    return changes.annotate(newest_message_id=Subquery(covered.values("id")[:1]))


def receipt_frame(change: ReceiptChange) -> frames.MessageDelivered | frames.MessageRead:
    """Return the frame of a change that has its `newest_message_id`."""
    newest = change.newest_message_id  # type: ignore[attr-defined]
    message_id = as_uuid(newest) if newest else None
    if change.kind == Kind.READ:
        return frames.MessageRead(
            conversation_id=change.conversation_id,
            up_to_sequence=change.up_to_sequence,
            message_id=message_id,
            reader_id=change.user_id,
            read_at=change.moved_at,
        )
    return frames.MessageDelivered(
        conversation_id=change.conversation_id,
        up_to_sequence=change.up_to_sequence,
        message_id=message_id,
        user_id=change.user_id,
        delivered_at=change.moved_at,
    )


@event_registry.provides_receipts
def receipts_since(viewer: UUID, conversation_ids: Sequence[UUID], since: datetime.datetime) -> list[Frame]:
    """Return the newest frame of each position that moved since then.

    Each frame names the newest message that it covers and the viewer may see: a position may lie before their history
    start. In conversations with more members than a body lists, only changes that cover a message of the viewer, and
    the viewer's own.
    """
    me, messages, participants = one_id(viewer), Message._meta.db_table, Participant._meta.db_table
    # Without former members: the viewer may never have learned that they were there.
    # Nothing in the text comes from outside: names of tables and columns, and a number.
    changes = ReceiptChange.objects.raw(
        f"""
        SELECT m.*, (
            SELECT x.id FROM {messages} AS x WHERE x.conversation_id = m.conversation_id
            AND x.sequence BETWEEN p.history_from AND m.up_to_sequence ORDER BY x.sequence DESC LIMIT 1
        ) AS newest_message_id
        FROM {ReceiptChange._meta.db_table} AS m
        JOIN {Conversation._meta.db_table} AS c ON c.id = m.conversation_id
        JOIN {participants} AS p ON p.conversation_id = m.conversation_id
        JOIN {participants} AS here ON here.conversation_id = m.conversation_id AND here.user_id = m.user_id
        WHERE {ids_in("m.conversation_id")} AND m.moved_at > %s AND p.user_id = %s AND p.left_at IS NULL
        AND here.left_at IS NULL AND (
            c.participant_count <= {LISTED_PARTICIPANTS} OR m.user_id = %s OR EXISTS (
                SELECT 1 FROM {messages} AS x WHERE x.conversation_id = m.conversation_id AND x.sender_id = %s
                AND x.sequence > m.from_sequence AND x.sequence <= m.up_to_sequence
            )
        )
        ORDER BY m.id
        """,  # noqa: S608
        [ids(conversation_ids), one_moment(since), me, me, me],
    )
    newest = {(change.conversation_id, change.user_id, change.kind): change for change in changes}
    found: list[Frame] = [receipt_frame(change) for change in newest.values()]
    mine = [change for change in newest.values() if change.user_id == viewer and change.kind == Kind.READ]
    if mine:
        unread = unread_counts(viewer, [change.conversation_id for change in mine])
        found += [
            frames.ConversationRead(
                conversation_id=change.conversation_id,
                up_to_sequence=change.up_to_sequence,
                unread_count=unread[change.conversation_id].messages,
                mention_count=unread[change.conversation_id].mentions,
                last_sequence=unread[change.conversation_id].last_sequence,
            )
            for change in mine
            if change.conversation_id in unread
        ]
    return found


def unread_counts(user_id: UUID, conversation_ids: Iterable[UUID]) -> dict[UUID, Unread]:
    """Return the user's unread messages and mentions by conversation."""
    participants = Participant.objects.select_related("conversation").filter(
        user_id=user_id, conversation_id__in=list(conversation_ids), left_at=None
    )
    return {
        participant.conversation_id: unread_of(participant, participant.conversation) for participant in participants
    }


def unread_of(participant: Participant, conversation: Conversation) -> Unread:
    """Return what is unread for a participant, given the conversation."""
    return Unread(
        unread_count(participant, conversation.message_count), mention_count(participant), conversation.last_sequence
    )


def senders_between(conversation: Conversation, above: int, up_to: int) -> list[str]:
    """Return the ids of the senders of the messages above one sequence and up to another."""
    senders = (
        Message.objects.filter(conversation=conversation, sequence__gt=above, sequence__lte=up_to)
        .exclude(sender=None)
        .order_by()
        .values_list("sender_id", flat=True)
        .distinct()
    )
    return [str(sender_id) for sender_id in senders]
