"""The one way in which messages are written: a batch, in one transaction.

A single send is a batch of one; the socket's lanes, REST, commands and workers all end here.
A batch, however large, is two round trips to PostgreSQL: lock the conversations, read the senders'
places and look for repetitions; insert messages and events, update counters and commit.
"""

import datetime
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import new_id
from conversations import event_log
from conversations.models import Event, Participant
from messaging.errors import IdempotencyConflict
from messaging.frames import Location, MessageDraft, NewMessage
from messaging.models import Message
from messaging.selectors import message_body
from realtime.bodies import convert, encode
from realtime.crash import crash_point
from realtime.errors import DomainError, Forbidden, Invalid, NotFound, TryAgain
from realtime.rows import Columns, as_moment, as_uuid, pipelined

Type = Message.Type
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
# Clients need not write the keys of an object in the same order twice.
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
# A repetition that another process commits at the same moment shows on the second look.
TRIES = 3


@dataclass(slots=True)
class Send:
    """A message that somebody wants to send, checked as far as it can be without the database."""

    conversation_id: UUID
    sender_id: UUID
    client_message_id: UUID
    message_type: str = Type.TEXT
    content: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    reply_to_id: UUID | None = None

    @property
    def digest(self) -> UUID:
        """What a repetition of this send must agree in, as 128 bits."""
        payload = (self.conversation_id, self.message_type, self.content, self.metadata, self.reply_to_id)
        return UUID(bytes=hashlib.sha256(_encode_sorted(payload)).digest()[:16])


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


def checked_send(draft: MessageDraft, *, conversation_id: UUID, sender_id: UUID) -> Send:
    """Check a draft and make it a send; a draft without a client_message_id gets one.

    :raises Invalid: blank or too long text, a wrong location, metadata too deep or too large.
    """
    check_text(draft.content, blank_allowed=draft.message_type == "location")
    metadata = draft.metadata
    if draft.message_type == "location":
        try:
            convert(metadata, Location)
        except DomainError as error:
            raise Invalid(metadata=error.message) from error
    if metadata:
        _check_metadata(metadata)
    most = settings.LIMITS.stored_message_bytes
    if len(draft.content) * 4 > most or metadata:
        size = len(draft.content.encode()) + (len(encode(metadata)) if metadata else 0)
        if size > most:
            raise Invalid(content=f"text and metadata together are larger than {most} bytes")
    return Send(
        conversation_id=conversation_id,
        sender_id=sender_id,
        client_message_id=draft.client_message_id or new_id(),
        message_type=draft.message_type,
        content=draft.content,
        metadata=metadata,
        reply_to_id=draft.reply_to_id,
    )


def check_text(content: str, *, blank_allowed: bool = False) -> None:
    """Check the text of a message.

    :raises Invalid: blank, too long in code points or bytes, or with a NUL in it.
    """
    if not blank_allowed and not content.strip():
        raise Invalid(content="must not be blank")
    if len(content) > settings.LIMITS.text_code_points:
        raise Invalid(content=f"longer than {settings.LIMITS.text_code_points} code points")
    if "\x00" in content:
        raise Invalid(content="NUL is not allowed")


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
    return (
        "SELECT p.id, p.conversation_id, p.user_id, p.can_send_messages, p.history_from, p.sent_count "  # noqa: S608
        f"FROM {_KEYS.source} JOIN {Participant._meta.db_table} p "
        "ON p.conversation_id = r.conversation_id AND p.user_id = r.sender_id WHERE p.left_at IS NULL"
    )


@cache
def _find_known() -> str:
    """Return the statement for messages that have the sender and client_message_id of a send."""
    return (
        "SELECT m.sender_id, m.client_message_id, m.payload_digest, "  # noqa: S608
        "m.id, m.conversation_id, m.sequence, m.created_at "
        f"FROM {_KEYS.source} JOIN {Message._meta.db_table} m "
        "ON m.sender_id = r.sender_id AND m.client_message_id = r.client_message_id"
    )


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


def _check_metadata(metadata: dict[str, Any]) -> None:
    limits = settings.LIMITS
    keys = 0
    waiting: list[tuple[Any, int]] = [(metadata, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > limits.json_depth:
                raise Invalid(metadata=f"nested deeper than {limits.json_depth}")
            inside = value
            if isinstance(value, dict):
                keys += len(value)
                if any("\x00" in key for key in value):
                    raise Invalid(metadata="NUL is not allowed")
                inside = value.values()
            waiting += [(each, depth + 1) for each in inside]
        elif isinstance(value, str):
            if "\x00" in value:
                raise Invalid(metadata="NUL is not allowed")
        elif isinstance(value, int | float) and not _is_moderate(value):
            raise Invalid(metadata="a number must be 0 or lie between 1e-12 and 2 to the 53rd, or the same below 0")
    if keys > limits.json_keys:
        raise Invalid(metadata=f"more than {limits.json_keys} keys")


def _is_moderate(number: float) -> bool:
    """Return whether a number keeps its value in every client and its size in PostgreSQL.

    PostgreSQL writes all digits out: 1e308, five characters, would come back as 309.
    """
    return number == 0 or 1e-12 <= abs(number) <= 2**53
