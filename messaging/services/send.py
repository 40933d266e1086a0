"""The one way in which messages are written: a batch, in one transaction.

A single send is a batch of one; the socket's lanes, REST, commands and workers all end here.
A batch, however large, is two round trips to PostgreSQL: lock the conversations, read the senders'
places and look for repetitions; insert messages and events, update counters and commit.
"""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from conversations import event_log
from conversations.models import Event, Participant
from messaging.errors import IdempotencyConflict
from messaging.frames import NewMessage
from messaging.models import Message
from messaging.selectors import message_body
from messaging.services.drafts import Send
from realtime.crash import crash_point
from realtime.errors import DomainError, Forbidden, Invalid, NotFound, TryAgain
from realtime.rows import Columns, as_moment, as_uuid, pipelined

_MESSAGE_COLUMNS = (
    "id",
    "conversation",
    "sequence",
    "sender",
    "client_message_id",
    "message_type",
    "content",
    "metadata",
    "reply_to_id",
    "payload_digest",
    "created_at",
)
_MESSAGES = Columns(Message, *_MESSAGE_COLUMNS)
_MESSAGE_VALUES = [Message._meta.get_field(name).attname for name in _MESSAGE_COLUMNS]  # type: ignore[union-attr]
_KEYS = Columns(Message, "conversation", "sender", "client_message_id")
_SENT_COUNTS = Columns(Participant, "id", "sent_count")
# A repetition that another process commits at the same moment shows on the second look.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """A committed message; `duplicate` when it had been committed before."""

    message_id: UUID
    conversation_id: UUID
    sequence: int
    created_at: datetime.datetime
    duplicate: bool


@dataclass(slots=True)
class _Place:
    """What sending needs of a participant."""

    id: int
    conversation_id: UUID
    user_id: UUID
    can_send_messages: bool
    history_from: int
    sent_count: int


@dataclass(slots=True)
class _Known:
    """A message that was sent before, and the digest of what it said; None once it was deleted."""

    sent: Sent
    digest: UUID | None


def send_message(send: Send) -> Sent:
    """Write one message.

    :raises DomainError: its refusal.
    """
    (result,) = send_messages([send])
    if isinstance(result, DomainError):
        raise result
    return result


def send_messages(sends: Sequence[Send]) -> list[Sent | DomainError]:
    """Write a batch in one transaction and answer each send, in order.

    A send that is refused does not hinder the others. Repeating a send returns the original, for ever.
    When a lock cannot be had, each conversation of the batch is tried by itself, so that one that is
    held up does not hold up the rest.
    """
    try:
        return _written(sends)
    except OperationalError:
        by_conversation: dict[UUID, list[int]] = defaultdict(list)
        for position, send in enumerate(sends):
            by_conversation[send.conversation_id].append(position)
        if len(by_conversation) == 1 or not connection.is_usable():
            raise
        results: list[Sent | DomainError] = [TryAgain()] * len(sends)
        for positions in by_conversation.values():
            try:
                part = _written([sends[position] for position in positions])
            except OperationalError:
                continue
            for position, result in zip(positions, part, strict=True):
                results[position] = result
        return results


def _written(sends: Sequence[Send]) -> list[Sent | DomainError]:
    for _ in range(TRIES):
        try:
            with pipelined(), transaction.atomic():
                return _write(sends)
        except IntegrityError:
            continue
    return [TryAgain()] * len(sends)


def _write(sends: Sequence[Send]) -> list[Sent | DomainError]:
    heads, places, known, quoted = _look_up(sends)
    now = timezone.now()
    results: list[Sent | DomainError] = []
    messages: list[Message] = []
    entries: list[event_log.Entry] = []
    senders: dict[int, _Place] = {}
    for send in sends:
        key = (send.sender_id, send.client_message_id)
        original = known.get(key)
        if original is not None:
            same = original.sent.conversation_id == send.conversation_id and original.digest in (None, send.digest)
            results.append(original.sent if same else IdempotencyConflict())
            continue
        place = places.get((send.conversation_id, send.sender_id))
        refusal = _refusal(send, place, quoted)
        if refusal is not None or place is None:
            results.append(refusal or NotFound("conversation"))
            continue
        message = Message(
            conversation_id=send.conversation_id,
            sender_id=send.sender_id,
            client_message_id=send.client_message_id,
            message_type=send.message_type,
            content=send.content,
            metadata=send.metadata,
            reply_to_id=send.reply_to_id,
            payload_digest=send.digest,
            created_at=now,
        )
        entry = event_log.take(
            heads[send.conversation_id],
            Event.Kind.NEW_MESSAGE,
            at=now,
            actor_id=send.sender_id,
            message_id=message.id,
            counts_as_unread=True,
        )
        message.sequence = entry.sequence
        entry.frame = NewMessage(
            conversation_id=str(send.conversation_id), sequence=message.sequence, message=message_body(message)
        )
        place.sent_count += 1
        sent = Sent(message.id, send.conversation_id, message.sequence, now, duplicate=False)
        known[key] = _Known(replace(sent, duplicate=True), message.payload_digest)
        messages.append(message)
        entries.append(entry)
        senders[place.id] = place
        results.append(sent)
    if messages:
        _MESSAGES.insert([getattr(message, name) for name in _MESSAGE_VALUES] for message in messages)
        crash_point("after_insert")
        event_log.append(entries)
        _SENT_COUNTS.update((place.id, place.sent_count) for place in senders.values())
    crash_point("before_commit")
    return results


def _look_up(
    sends: Sequence[Send],
) -> tuple[
    dict[UUID, event_log.Head],
    dict[tuple[UUID, UUID], _Place],
    dict[tuple[UUID, UUID], _Known],
    dict[UUID, tuple[UUID, int]],
]:
    """Lock the conversations; return their heads, the senders' places, what was sent before, and what is quoted.

    All that comes after the lock in one round trip, and sees what was committed until the lock was had.
    """
    wanted = _KEYS.parameter((send.conversation_id, send.sender_id, send.client_message_id) for send in sends)
    with connection.cursor() as locking, connection.cursor() as placing, connection.cursor() as knowing:
        heads = event_log.lock_heads(locking, {send.conversation_id for send in sends})
        placing.execute(_find_places(), [wanted])
        knowing.execute(_find_known(), [wanted])
        found_heads = heads()
        crash_point("after_lock")
        places = {
            (place.conversation_id, place.user_id): place
            for place in (
                _Place(id, as_uuid(conversation_id), as_uuid(user_id), *rest)
                for id, conversation_id, user_id, *rest in placing
            )
        }
        known = {
            (as_uuid(sender_id), as_uuid(client_id)): _Known(
                Sent(as_uuid(id), as_uuid(conversation_id), sequence, as_moment(created_at), duplicate=True),
                as_uuid(digest) if digest is not None else None,
            )
            for sender_id, client_id, digest, id, conversation_id, sequence, created_at in knowing
        }
    return found_heads, places, known, _quotable(sends)


@cache
def _find_places() -> str:
    """Return the statement for the places of senders who are in the conversation."""
    found = _KEYS.looking_up(
        Participant,
        "t.conversation_id = r.conversation_id AND t.user_id = r.sender_id AND t.left_at IS NULL",
    )
    columns = "t.id, t.conversation_id, t.user_id, t.can_send_messages, t.history_from, t.sent_count"
    return f"SELECT {columns} FROM {found}"  # noqa: S608 - names of tables and columns only


@cache
def _find_known() -> str:
    """Return the statement for messages that have the sender and client_message_id of a send."""
    found = _KEYS.looking_up(Message, "t.sender_id = r.sender_id AND t.client_message_id = r.client_message_id")
    columns = "t.sender_id, t.client_message_id, t.payload_digest, t.id, t.conversation_id, t.sequence, t.created_at"
    return f"SELECT {columns} FROM {found}"  # noqa: S608 - names of tables and columns only


def _quotable(sends: Sequence[Send]) -> dict[UUID, tuple[UUID, int]]:
    """Return where the messages are that the batch replies to."""
    quoted = {send.reply_to_id for send in sends if send.reply_to_id is not None}
    if not quoted:
        return {}
    rows = Message.objects.filter(id__in=quoted).values_list("id", "conversation_id", "sequence")
    return {id: (conversation_id, sequence) for id, conversation_id, sequence in rows}


def _refusal(send: Send, place: _Place | None, quoted: dict[UUID, tuple[UUID, int]]) -> DomainError | None:
    if place is None:
        return NotFound("conversation")
    if not place.can_send_messages:
        return Forbidden("You may not write in this conversation.")
    if send.reply_to_id is not None:
        conversation_id, sequence = quoted.get(send.reply_to_id, (None, 0))
        if conversation_id != send.conversation_id or sequence < place.history_from:
            return Invalid(reply_to_id="no such message in this conversation")
    return None
