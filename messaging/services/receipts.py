"""Receipt marks: how far a person's devices got, and how far the person read. They only move forward.

Like sends, receipts come as a batch that is one transaction. Only places are locked, in the order in
which sends lock them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from conversations.models import Conversation, Participant
from conversations.selectors import LISTED_PARTICIPANTS
from messaging.frames import ConversationRead
from messaging.models import Message, ReceiptMove
from messaging.selectors import receipt_frame, senders_between, with_newest_message
from realtime.bodies import encode
from realtime.door import announce
from realtime.errors import DomainError, Invalid, NotFound
from realtime.items import Notice

Kind = ReceiptMove.Kind


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
    unread_count: int
    session_id: str | None


def set_mark(mark: Mark) -> None:
    """Move one mark; nothing happens when it has been there.

    :raises DomainError: its refusal.
    """
    (result,) = set_marks([mark])
    if isinstance(result, DomainError):
        raise result


def set_marks(marks: Sequence[Mark]) -> list[DomainError | None]:
    """Move marks in one transaction and answer each: None, or why it was refused. Reading implies delivery.

    Refused: a message or conversation that the user may not see (not_found), a sequence beyond the head (invalid).
    """
    with transaction.atomic():
        targets = _targets(marks)
        places, conversations = _locked_places(marks, targets)
        steps: list[_Step] = []
        results: list[DomainError | None] = []
        touched: dict[int, Participant] = {}
        for mark, target in zip(marks, targets, strict=True):
            place = places.get((target[0], mark.user_id)) if target is not None else None
            if target is None or place is None or (mark.message_id and target[1] < place.history_from):
                results.append(NotFound("message" if mark.message_id else "conversation"))
                continue
            conversation, up_to = conversations[place.conversation_id], target[1]
            if up_to > conversation.last_sequence:
                results.append(Invalid(sequence="beyond the end of the conversation"))
                continue
            moved = _advance(place, conversation, mark.kind, up_to)
            unread = place.unread_count(conversation.message_count)
            steps += [_Step(move, conversation, unread, mark.session_id) for move in moved]
            if moved:
                touched[place.pk] = place
            results.append(None)
        if steps:
            ReceiptMove.objects.bulk_create([step.move for step in steps])
            _save_marks(list(touched.values()))
            announce(_notices(steps))
    return results


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


def _locked_places(
    marks: Sequence[Mark], targets: Sequence[tuple[UUID, int] | None]
) -> tuple[dict[tuple[UUID, UUID], Participant], dict[UUID, Conversation]]:
    wanted = Q(pk__in=[])
    for mark, target in zip(marks, targets, strict=True):
        if target is not None:
            wanted |= Q(conversation_id=target[0], user_id=mark.user_id)
    rows = Participant.objects.select_for_update().filter(wanted, left_at=None).order_by("conversation_id", "id")
    places = {(place.conversation_id, place.user_id): place for place in rows}
    # Read after the lock: no message of one's own can come in between and make the counters disagree.
    conversations = Conversation.objects.in_bulk({conversation_id for conversation_id, _ in places})
    return places, conversations


def _advance(place: Participant, conversation: Conversation, kind: str, up_to: int) -> list[ReceiptMove]:
    """Move the marks of a place in memory; return the moves."""
    now = timezone.now()
    moves = []
    if up_to > place.last_delivered_sequence:
        moves.append(_move(place, Kind.DELIVERED, place.last_delivered_sequence, up_to))
        place.last_delivered_sequence = up_to
        place.last_delivered_at = now
    if kind == Kind.READ and up_to > place.last_read_sequence:
        moves.append(_move(place, Kind.READ, place.last_read_sequence, up_to))
        if up_to >= conversation.last_message_sequence:
            place.read_message_count = conversation.message_count
            place.read_sent_count = place.sent_count
        else:
            passed = Message.objects.filter(
                conversation=conversation, sequence__gt=place.last_read_sequence, sequence__lte=up_to
            ).exclude(message_type=Message.Type.SYSTEM)
            place.read_message_count += passed.count()
            place.read_sent_count += passed.filter(sender_id=place.user_id).count()
        place.last_read_sequence = up_to
        place.last_read_at = now
    for move in moves:
        move.moved_at = now
    return moves


def _move(place: Participant, kind: str, above: int, up_to: int) -> ReceiptMove:
    return ReceiptMove(
        conversation_id=place.conversation_id,
        user_id=place.user_id,
        kind=kind,
        from_sequence=above,
        up_to_sequence=up_to,
    )


def _save_marks(places: list[Participant]) -> None:
    Participant.objects.bulk_update(
        places,
        [
            "last_read_sequence",
            "last_read_at",
            "last_delivered_sequence",
            "last_delivered_at",
            "read_message_count",
            "read_sent_count",
        ],
    )


def _notices(steps: Sequence[_Step]) -> list[Notice]:
    moves = with_newest_message(ReceiptMove.objects.filter(id__in=[step.move.pk for step in steps])).select_related(
        None
    )
    shown = {move.pk: move for move in moves}
    notices = []
    for step in steps:
        notices += notices_of(shown[step.move.pk], step.conversation, step.unread_count, except_session=step.session_id)
    return notices


def notices_of(
    move: ReceiptMove, conversation: Conversation, unread_count: int, *, except_session: str | None = None
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
            row_id=move.pk * 2,
            subject_sequence=move.up_to_sequence,
        )
    ]
    if move.kind == Kind.READ:
        frame = ConversationRead(
            conversation_id=conversation_id, up_to_sequence=move.up_to_sequence, unread_count=unread_count
        )
        notices.append(
            Notice(
                encode(frame).decode(),
                conversation_id=conversation_id,
                user_ids=[str(move.user_id)],
                except_session=except_session,
                row_id=move.pk * 2 + 1,
            )
        )
    return notices
