"""Invariants of the database: logs have no gaps, heads and counters agree with the rows.

Reads only. Each check is one query over the whole database.
"""

from collections.abc import Callable, Iterator

from django.db.models import BigIntegerField, Count, Exists, F, Max, Min, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from conversations.models import Conversation, Event, Participant
from conversations.selectors import mentions_in_orm, unread_in_orm
from messaging.event_kinds import NEW_MESSAGE
from messaging.models import Mention, Message

SYSTEM = Message.Type.SYSTEM


def faults() -> Iterator[str]:
    """Yield a sentence for each fault."""
    checks: list[Callable[[], Iterator[str]]] = [
        _nothing_without_its_owner,
        _logs_without_gaps,
        _heads,
        _messages_and_their_events,
        _message_counts,
        _participant_counts,
        _sent_counts,
        _read_counts,
        _mentions_and_their_messages,
        _mentioned_counts,
        _read_mentioned_counts,
        _positions_below_heads,
    ]
    for check in checks:
        yield from check()


def _nothing_without_its_owner() -> Iterator[str]:
    """Check what foreign-key constraints would check, which the hot tables do not have."""
    conversation = Conversation.objects.filter(id=OuterRef("conversation_id"))
    for event in Event.objects.filter(~Exists(conversation)):
        yield f"event {event.pk}: no conversation {event.conversation_id}"
    for message in Message.objects.filter(~Exists(conversation)):
        yield f"message {message.pk}: no conversation {message.conversation_id}"
    participant = Participant.objects.filter(conversation_id=OuterRef("conversation_id"), user_id=OuterRef("sender_id"))
    for message in Message.objects.filter(~Exists(participant), sender_id__isnull=False):
        yield f"message {message.pk}: sender {message.sender_id} was never in its conversation"


def _logs_without_gaps() -> Iterator[str]:
    logs = Event.objects.order_by().values("conversation_id")
    for row in logs.annotate(first=Min("sequence"), last=Max("sequence"), number=Count("id")).exclude(
        first=1, last=F("number")
    ):
        yield (
            f"conversation {row['conversation_id']}: events {row['first']} to {row['last']}, "
            f"but {row['number']} of them"
        )


def _heads() -> Iterator[str]:
    last = Event.objects.filter(conversation=OuterRef("pk")).order_by("-sequence").values("sequence")[:1]
    for conversation in Conversation.objects.annotate(last=_or_zero(last)).exclude(last_sequence=F("last")):
        yield f"conversation {conversation.pk}: head {conversation.last_sequence}, last event {conversation.last}"


def _messages_and_their_events() -> Iterator[str]:
    event = Event.objects.filter(
        conversation_id=OuterRef("conversation_id"),
        sequence=OuterRef("sequence"),
        kind=NEW_MESSAGE.name,
        message_id=OuterRef("id"),
    )
    for message in Message.objects.filter(~Exists(event)):
        yield f"message {message.pk}: no event at its sequence {message.sequence}"
    message_of = Message.objects.filter(id=OuterRef("message_id"), conversation_id=OuterRef("conversation_id"))
    for orphan in Event.objects.filter(kind=NEW_MESSAGE.name).filter(~Exists(message_of)):
        yield f"conversation {orphan.conversation_id}: event {orphan.sequence} without its message"


def _message_counts() -> Iterator[str]:
    written = _counted(Message.objects.filter(conversation=OuterRef("pk")).exclude(message_type=SYSTEM))
    newest = Message.objects.filter(conversation=OuterRef("pk")).order_by("-sequence").values("sequence")[:1]
    found = Conversation.objects.annotate(written=written, newest=_or_zero(newest))
    for conversation in found.exclude(message_count=F("written"), last_message_sequence=F("newest")):
        yield (
            f"conversation {conversation.pk}: counts {conversation.message_count} messages up to "
            f"{conversation.last_message_sequence}, has {conversation.written} up to {conversation.newest}"
        )


def _participant_counts() -> Iterator[str]:
    there = _counted(Participant.objects.filter(conversation=OuterRef("pk"), left_at=None))
    for conversation in Conversation.objects.annotate(there=there).exclude(participant_count=F("there")):
        yield (
            f"conversation {conversation.pk}: counts {conversation.participant_count} participants, "
            f"has {conversation.there}"
        )


def _sent_counts() -> Iterator[str]:
    sent = _counted(Message.objects.filter(conversation=OuterRef("conversation_id"), sender=OuterRef("user_id")))
    for participant in Participant.objects.annotate(sent=sent).exclude(sent_count=F("sent")):
        yield f"participant {participant}: counts {participant.sent_count} messages sent, has {participant.sent}"


def _read_counts() -> Iterator[str]:
    unread = _counted(
        Message.objects.filter(
            conversation=OuterRef("conversation_id"), sequence__gt=OuterRef("last_read_sequence"), deleted_at=None
        )
        .exclude(message_type=SYSTEM)
        .exclude(sender=OuterRef("user_id"))
    )
    participants = Participant.objects.filter(left_at=None).annotate(unread=unread, counted=unread_in_orm())
    for participant in participants.exclude(unread=F("counted")):
        yield (
            f"participant {participant}: unread {participant.counted}, "
            f"but {participant.unread} messages lie after the read position that are not deleted"
        )


def _mentions_and_their_messages() -> Iterator[str]:
    message = Message.objects.filter(
        id=OuterRef("message_id"),
        conversation_id=OuterRef("conversation_id"),
        sequence=OuterRef("sequence"),
        deleted_at=None,
    ).exclude(sender=OuterRef("user_id"))
    for mention in Mention.objects.filter(~Exists(message)):
        yield f"mention {mention.pk}: no message {mention.message_id} of somebody else at {mention.sequence}"


def _mentioned_counts() -> Iterator[str]:
    mentioned = _counted(Mention.objects.filter(conversation=OuterRef("conversation_id"), user=OuterRef("user_id")))
    for participant in Participant.objects.annotate(mentioned=mentioned).exclude(mentioned_count=F("mentioned")):
        yield f"participant {participant}: counts {participant.mentioned_count} mentions, has {participant.mentioned}"


def _read_mentioned_counts() -> Iterator[str]:
    unread = _counted(
        Mention.objects.filter(
            conversation=OuterRef("conversation_id"),
            user=OuterRef("user_id"),
            sequence__gt=OuterRef("last_read_sequence"),
        )
    )
    participants = Participant.objects.filter(left_at=None).annotate(unread=unread, counted=mentions_in_orm())
    for participant in participants.exclude(unread=F("counted")):
        yield (
            f"participant {participant}: {participant.counted} unread mentions, "
            f"but {participant.unread} lie after the read position"
        )


def _positions_below_heads() -> Iterator[str]:
    beyond = Q(last_delivered_sequence__gt=F("conversation__last_sequence"))
    for participant in Participant.objects.filter(beyond):
        yield f"participant {participant}: delivery position {participant.last_delivered_sequence} beyond the head"


def _counted(rows: object) -> Coalesce:
    counts = rows.order_by().values(nothing=Value(1)).annotate(number=Count("pk")).values("number")  # type: ignore[attr-defined]
    return _or_zero(counts)


def _or_zero(rows: object) -> Coalesce:
    return Coalesce(Subquery(rows, output_field=BigIntegerField()), 0)  # type: ignore[arg-type]
