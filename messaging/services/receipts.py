"""Receipts: the delivery position and the read position of each participant. Positions only move forward.

Like sends, receipts are written in batches. Only participants are locked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from conversations.models import Conversation, Participant
from conversations.selectors import LISTED_PARTICIPANTS
from messaging.frames import ConversationRead
from messaging.models import Mention, Message, ReceiptChange
from messaging.selectors import Unread, receipt_frame, senders_between, unread_of, with_newest_message
from messaging.services import device_positions
from realtime.database import clock
from realtime.fanout.door import announce
from realtime.wire.announcements import EphemeralEvent, RowKey
from realtime.wire.bodies import encode
from realtime.wire.errors import DomainError, Invalid, NotFound

Kind = ReceiptChange.Kind
# Conversation and person.
ParticipantKey = tuple[UUID, UUID]


@dataclass(slots=True)
class ReceiptUpdate:
    """A person got or read everything up to a message, or up to a sequence."""

    user_id: UUID
    kind: str
    message_id: UUID | None = None
    conversation_id: UUID | None = None
    sequence: int | None = None
    session_id: str | None = None


@dataclass(slots=True)
class _Recorded:
    """A written change, with everything that its announcement needs."""

    change: ReceiptChange
    conversation: Conversation
    unread: Unread
    session_id: str | None


def record_receipt(update: ReceiptUpdate) -> None:
    """Move one position; nothing happens if it is as far already.

    :raises DomainError: the update was refused.
    """
    (result,) = record_receipts([update])
    if isinstance(result, DomainError):
        raise result


def record_receipts(updates: Sequence[ReceiptUpdate]) -> list[DomainError | None]:
    """Move positions; answer each update with None or its refusal. Reading implies delivery.

    All updates are written in one transaction, except those of participants whom another transaction has locked: each
    of these follows in a transaction of its own. The reason: a send locks participants in another order, so this
    function must never wait for one participant while it holds the lock of another.

    Refusals: the user may not see the message or conversation (not_found), the sequence lies beyond the head (invalid).
    """
    targets = _targets(updates)
    results: list[DomainError | None] = [
        NotFound("message" if update.message_id else "conversation") for update in updates
    ]
    wanted: dict[ParticipantKey, list[tuple[int, ReceiptUpdate, int]]] = {}
    for position, (update, target) in enumerate(zip(updates, targets, strict=True)):
        if target is not None:
            conversation_id, up_to = target
            wanted.setdefault((conversation_id, update.user_id), []).append((position, update, up_to))
    if wanted:
        for key in _set(wanted, results, wait=len(wanted) == 1):
            _set({key: wanted[key]}, results, wait=True)
    return results


def _set(
    wanted: Mapping[ParticipantKey, Sequence[tuple[int, ReceiptUpdate, int]]],
    results: list[DomainError | None],
    *,
    wait: bool,
) -> set[ParticipantKey]:
    """Move the positions of participants in one transaction; without `wait`, return those that were locked."""
    repeated: list[device_positions.DeviceReceipt] = []
    with transaction.atomic():
        participants = _locked_participants(wanted.keys(), wait=wait)
        # Read after the lock: a message that the participant sends or is mentioned in cannot be written in between,
        # which would make the counters disagree.
        conversations = Conversation.objects.in_bulk({conversation_id for conversation_id, _ in participants})
        recorded: list[_Recorded] = []
        touched: list[Participant] = []
        for key, participant in participants.items():
            conversation, before = conversations[participant.conversation_id], len(recorded)
            for position, update, up_to in wanted[key]:
                session_id = UUID(update.session_id) if update.session_id else None
                if update.message_id and up_to < participant.history_from:
                    continue
                if up_to > conversation.last_sequence:
                    results[position] = Invalid(sequence="beyond the end of the conversation")
                    continue
                changes = _advance(participant, conversation, update.kind, up_to, session_id)
                if session_id is not None and not changes:
                    repeated.append(
                        device_positions.DeviceReceipt(session_id, participant.conversation_id, up_to, clock.now())
                    )
                unread = unread_of(participant, conversation)
                recorded += [_Recorded(change, conversation, unread, update.session_id) for change in changes]
                results[position] = None
            if len(recorded) > before:
                touched.append(participant)
        if recorded:
            ReceiptChange.objects.bulk_create([each.change for each in recorded])
            _save_positions(touched)
            announce(_ephemeral_events(recorded))
    device_positions.add(repeated)
    missing = wanted.keys() - participants.keys()
    return set() if wait or not missing else set(_members_among(missing))


def count_as_read(message: Message) -> None:
    """Count a deleted message as read for every member who has not read it.

    The caller holds the conversation's row lock, in the transaction that deletes the message.
    """
    assert message.sender_id is not None, "system messages count for nobody"
    unread = Participant.objects.filter(
        conversation_id=message.conversation_id, left_at=None, last_read_sequence__lt=message.sequence
    )
    unread.exclude(user_id=message.sender_id).update(read_message_count=F("read_message_count") + 1)


def _targets(updates: Sequence[ReceiptUpdate]) -> list[tuple[UUID, int] | None]:
    """Return the conversation and sequence of each update; None for an unknown message."""
    ids = [update.message_id for update in updates if update.message_id is not None]
    rows = Message.objects.filter(id__in=ids).values_list("id", "conversation_id", "sequence") if ids else []
    found = {id: (conversation_id, sequence) for id, conversation_id, sequence in rows}
    targets: list[tuple[UUID, int] | None] = []
    for update in updates:
        if update.message_id is not None:
            targets.append(found.get(update.message_id))
        else:
            assert update.conversation_id is not None
            assert update.sequence is not None
            targets.append((update.conversation_id, update.sequence))
    return targets


def _locked_participants(keys: Iterable[ParticipantKey], *, wait: bool) -> dict[ParticipantKey, Participant]:
    """Lock participants who are members; without `wait`, only those that are not locked."""
    rows = Participant.objects.select_for_update(skip_locked=not wait).filter(_any_of(keys), left_at=None)
    return {
        (participant.conversation_id, participant.user_id): participant
        for participant in rows.order_by("conversation_id", "id")
    }


def _members_among(keys: Iterable[ParticipantKey]) -> Iterable[ParticipantKey]:
    """Return those of the participants who are members."""
    rows = Participant.objects.filter(_any_of(keys), left_at=None).order_by()
    return rows.values_list("conversation_id", "user_id")


def _any_of(keys: Iterable[ParticipantKey]) -> Q:
    wanted = Q(pk__in=[])
    for conversation_id, user_id in keys:
        wanted |= Q(conversation_id=conversation_id, user_id=user_id)
    return wanted


def _advance(
    participant: Participant, conversation: Conversation, kind: str, up_to: int, session_id: UUID | None
) -> list[ReceiptChange]:
    """Move the positions of a participant in memory; return the changes."""
    now = clock.now()
    changes = []
    if up_to > participant.last_delivered_sequence:
        changes.append(_change(participant, Kind.DELIVERED, participant.last_delivered_sequence, up_to))
        participant.last_delivered_sequence = up_to
        participant.last_delivered_at = now
    if kind == Kind.READ and up_to > participant.last_read_sequence:
        changes.append(_change(participant, Kind.READ, participant.last_read_sequence, up_to))
        if up_to >= conversation.last_message_sequence:
            participant.read_message_count = conversation.message_count
            participant.read_sent_count = participant.sent_count
            participant.read_mentioned_count = participant.mentioned_count
        else:
            # Deleted messages were counted when they were deleted (`count_as_read`).
            passed = Message.objects.filter(
                conversation=conversation,
                sequence__gt=participant.last_read_sequence,
                sequence__lte=up_to,
                deleted_at=None,
            ).exclude(message_type=Message.Type.SYSTEM)
            participant.read_message_count += passed.count()
            participant.read_sent_count += passed.filter(sender_id=participant.user_id).count()
            if participant.mentioned_count > participant.read_mentioned_count:
                participant.read_mentioned_count += Mention.objects.filter(
                    user_id=participant.user_id,
                    conversation=conversation,
                    sequence__gt=participant.last_read_sequence,
                    sequence__lte=up_to,
                ).count()
        participant.last_read_sequence = up_to
        participant.last_read_at = now
    for change in changes:
        change.moved_at, change.session_id = now, session_id
    return changes


def _change(participant: Participant, kind: str, above: int, up_to: int) -> ReceiptChange:
    return ReceiptChange(
        conversation_id=participant.conversation_id,
        user_id=participant.user_id,
        kind=kind,
        from_sequence=above,
        up_to_sequence=up_to,
    )


def _save_positions(participants: list[Participant]) -> None:
    Participant.objects.bulk_update(
        participants,
        [
            "last_read_sequence",
            "last_read_at",
            "last_delivered_sequence",
            "last_delivered_at",
            "read_message_count",
            "read_sent_count",
            "read_mentioned_count",
        ],
    )


def _ephemeral_events(recorded: Sequence[_Recorded]) -> list[EphemeralEvent]:
    changes = with_newest_message(
        ReceiptChange.objects.filter(id__in=[each.change.pk for each in recorded])
    ).select_related(None)
    shown = {change.pk: change for change in changes}
    announcements = []
    for each in recorded:
        announcements += ephemeral_events_of(
            shown[each.change.pk], each.conversation, each.unread, except_session=each.session_id
        )
    return announcements


def receipt_key(change_id: int) -> RowKey:
    """Return the key under which the receipt frame of a change is announced."""
    return RowKey(f"receipt:{change_id}")


def ephemeral_events_of(
    change: ReceiptChange, conversation: Conversation, unread: Unread, *, except_session: str | None = None
) -> list[EphemeralEvent]:
    """Return the announcements of a change.

    Members get the receipt; in a large group, only the senders of the messages that it covers. The reader's other
    devices get `conversation_read`.
    """
    audience = None
    if conversation.participant_count > LISTED_PARTICIPANTS:
        audience = senders_between(conversation, change.from_sequence, change.up_to_sequence)
    conversation_id = str(conversation.id)
    announcements = [
        EphemeralEvent(
            encode(receipt_frame(change)).decode(),
            conversation_id=conversation_id,
            user_ids=audience,
            row_key=receipt_key(change.pk),
            subject_sequence=change.up_to_sequence,
        )
    ]
    if change.kind == Kind.READ:
        frame = ConversationRead(
            conversation_id=conversation.id,
            up_to_sequence=change.up_to_sequence,
            unread_count=unread.messages,
            mention_count=unread.mentions,
            last_sequence=unread.last_sequence,
        )
        announcements.append(
            EphemeralEvent(
                encode(frame).decode(),
                conversation_id=conversation_id,
                user_ids=[str(change.user_id)],
                except_session=except_session,
                row_key=RowKey(f"conversation_read:{change.pk}"),
            )
        )
    return announcements
