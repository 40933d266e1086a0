"""Receipt marks: how far a person's devices got, and how far the person read. They only move forward.

Like sends, receipts come as a batch. Only places are locked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from conversations.models import Conversation, Participant
from conversations.selectors import LISTED_PARTICIPANTS
from messaging.frames import ConversationRead
from messaging.models import Mention, Message, ReceiptMove
from messaging.selectors import Unread, receipt_frame, senders_between, unread_of, with_newest_message
from messaging.services import device_marks
from realtime.database import clock
from realtime.fanout.door import announce
from realtime.wire.bodies import encode
from realtime.wire.errors import DomainError, Invalid, NotFound
from realtime.wire.items import Notice, RowKey

Kind = ReceiptMove.Kind
# Conversation and person.
ParticipantKey = tuple[UUID, UUID]


@dataclass(slots=True)
class Mark:
    """Somebody's word that they got or read everything up to a message, or up to a sequence."""

    user_id: UUID
    kind: str
    message_id: UUID | None = None
    conversation_id: UUID | None = None
    sequence: int | None = None
    session_id: str | None = None


@dataclass(slots=True)
class _Step:
    """A move that was written, with what its announcement needs."""

    move: ReceiptMove
    conversation: Conversation
    unread: Unread
    session_id: str | None


def set_mark(mark: Mark) -> None:
    """Move one mark; nothing happens when it has been there.

    :raises DomainError: its refusal.
    """
    (result,) = set_marks([mark])
    if isinstance(result, DomainError):
        raise result


def set_marks(marks: Sequence[Mark]) -> list[DomainError | None]:
    """Move marks and answer each: None, or why it was refused. Reading implies delivery.

    All in one transaction, but for places that somebody else has locked: a send locks the places of its
    senders in an order of its own, so nothing here waits for one place while it holds another. Those places
    follow, each in a transaction of its own.
    Refused: a message or conversation that the user may not see (not_found), a sequence beyond the head (invalid).
    """
    targets = _targets(marks)
    results: list[DomainError | None] = [NotFound("message" if mark.message_id else "conversation") for mark in marks]
    wanted: dict[ParticipantKey, list[tuple[int, Mark, int]]] = {}
    for position, (mark, target) in enumerate(zip(marks, targets, strict=True)):
        if target is not None:
            conversation_id, up_to = target
            wanted.setdefault((conversation_id, mark.user_id), []).append((position, mark, up_to))
    if wanted:
        for key in _set(wanted, results, wait=len(wanted) == 1):
            _set({key: wanted[key]}, results, wait=True)
    return results


def _set(
    wanted: Mapping[ParticipantKey, Sequence[tuple[int, Mark, int]]], results: list[DomainError | None], *, wait: bool
) -> set[ParticipantKey]:
    """Move the marks of some places in one transaction; return those that were locked, unless it may wait."""
    unmoved: list[device_marks.Acknowledged] = []
    with transaction.atomic():
        participants = _locked_participants(wanted.keys(), wait=wait)
        # Read after the lock: no message of one's own, and none that mentions one, can come in between and make the
        # counters disagree.
        conversations = Conversation.objects.in_bulk({conversation_id for conversation_id, _ in participants})
        steps: list[_Step] = []
        touched: list[Participant] = []
        for key, participant in participants.items():
            conversation, before = conversations[participant.conversation_id], len(steps)
            for position, mark, up_to in wanted[key]:
                session_id = UUID(mark.session_id) if mark.session_id else None
                if mark.message_id and up_to < participant.history_from:
                    continue
                if up_to > conversation.last_sequence:
                    results[position] = Invalid(sequence="beyond the end of the conversation")
                    continue
                moved = _advance(participant, conversation, mark.kind, up_to, session_id)
                if session_id is not None and not moved:
                    unmoved.append(
                        device_marks.Acknowledged(session_id, participant.conversation_id, up_to, clock.now())
                    )
                unread = unread_of(participant, conversation)
                steps += [_Step(move, conversation, unread, mark.session_id) for move in moved]
                results[position] = None
            if len(steps) > before:
                touched.append(participant)
        if steps:
            ReceiptMove.objects.bulk_create([step.move for step in steps])
            _save_marks(touched)
            announce(_notices(steps))
    device_marks.note(unmoved)
    missing = wanted.keys() - participants.keys()
    return set() if wait or not missing else set(_members_among(missing))


def _targets(marks: Sequence[Mark]) -> list[tuple[UUID, int] | None]:
    """Return conversation and sequence that each mark means; None for an unknown message."""
    ids = [mark.message_id for mark in marks if mark.message_id is not None]
    rows = Message.objects.filter(id__in=ids).values_list("id", "conversation_id", "sequence") if ids else []
    found = {id: (conversation_id, sequence) for id, conversation_id, sequence in rows}
    targets: list[tuple[UUID, int] | None] = []
    for mark in marks:
        if mark.message_id is not None:
            targets.append(found.get(mark.message_id))
        else:
            assert mark.conversation_id is not None
            assert mark.sequence is not None
            targets.append((mark.conversation_id, mark.sequence))
    return targets


def _locked_participants(keys: Iterable[ParticipantKey], *, wait: bool) -> dict[ParticipantKey, Participant]:
    """Lock the places of those who are members; without waiting only those that nobody has locked."""
    rows = Participant.objects.select_for_update(skip_locked=not wait).filter(_any_of(keys), left_at=None)
    return {
        (participant.conversation_id, participant.user_id): participant
        for participant in rows.order_by("conversation_id", "id")
    }


def _members_among(keys: Iterable[ParticipantKey]) -> Iterable[ParticipantKey]:
    """Return those of the places whose holders are members."""
    rows = Participant.objects.filter(_any_of(keys), left_at=None).order_by()
    return rows.values_list("conversation_id", "user_id")


def _any_of(keys: Iterable[ParticipantKey]) -> Q:
    wanted = Q(pk__in=[])
    for conversation_id, user_id in keys:
        wanted |= Q(conversation_id=conversation_id, user_id=user_id)
    return wanted


def _advance(
    participant: Participant, conversation: Conversation, kind: str, up_to: int, session_id: UUID | None
) -> list[ReceiptMove]:
    """Move the marks of a place in memory, on the word of a device; return the moves."""
    now = clock.now()
    moves = []
    if up_to > participant.last_delivered_sequence:
        moves.append(_move(participant, Kind.DELIVERED, participant.last_delivered_sequence, up_to))
        participant.last_delivered_sequence = up_to
        participant.last_delivered_at = now
    if kind == Kind.READ and up_to > participant.last_read_sequence:
        moves.append(_move(participant, Kind.READ, participant.last_read_sequence, up_to))
        if up_to >= conversation.last_message_sequence:
            participant.read_message_count = conversation.message_count
            participant.read_sent_count = participant.sent_count
            participant.read_mentioned_count = participant.mentioned_count
        else:
            passed = Message.objects.filter(
                conversation=conversation, sequence__gt=participant.last_read_sequence, sequence__lte=up_to
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
    for move in moves:
        move.moved_at, move.session_id = now, session_id
    return moves


def _move(participant: Participant, kind: str, above: int, up_to: int) -> ReceiptMove:
    return ReceiptMove(
        conversation_id=participant.conversation_id,
        user_id=participant.user_id,
        kind=kind,
        from_sequence=above,
        up_to_sequence=up_to,
    )


def _save_marks(participants: list[Participant]) -> None:
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


def _notices(steps: Sequence[_Step]) -> list[Notice]:
    moves = with_newest_message(ReceiptMove.objects.filter(id__in=[step.move.pk for step in steps])).select_related(
        None
    )
    shown = {move.pk: move for move in moves}
    notices = []
    for step in steps:
        notices += notices_of(shown[step.move.pk], step.conversation, step.unread, except_session=step.session_id)
    return notices


def receipt_key(move_id: int) -> RowKey:
    """Return the key under which the receipt frame of a move is announced."""
    return RowKey(f"receipt:{move_id}")


def notices_of(
    move: ReceiptMove, conversation: Conversation, unread: Unread, *, except_session: str | None = None
) -> list[Notice]:
    """Return who is told what about a move: the members (of a large group the senders), and the reader's devices."""
    audience = None
    if conversation.participant_count > LISTED_PARTICIPANTS:
        audience = senders_between(conversation, move.from_sequence, move.up_to_sequence)
    conversation_id = str(conversation.id)
    notices = [
        Notice(
            encode(receipt_frame(move)).decode(),
            conversation_id=conversation_id,
            user_ids=audience,
            row_key=receipt_key(move.pk),
            subject_sequence=move.up_to_sequence,
        )
    ]
    if move.kind == Kind.READ:
        frame = ConversationRead(
            conversation_id=conversation.id,
            up_to_sequence=move.up_to_sequence,
            unread_count=unread.messages,
            mention_count=unread.mentions,
        )
        notices.append(
            Notice(
                encode(frame).decode(),
                conversation_id=conversation_id,
                user_ids=[str(move.user_id)],
                except_session=except_session,
                row_key=RowKey(f"conversation_read:{move.pk}"),
            )
        )
    return notices
