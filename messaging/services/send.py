"""The one way in which messages are written: a batch, in one transaction.

A single send is a batch of one; the socket's lanes, REST, commands and workers all end here.
Statements per batch, however large: lock the conversations, read the senders' places, look for
repetitions, insert messages, insert events, update counters.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import new_id
from conversations import event_log
from conversations.models import Conversation, Event, Participant
from messaging.errors import IdempotencyConflict
from messaging.frames import Location, MessageDraft, NewMessage
from messaging.models import Message
from messaging.selectors import message_body
from realtime.bodies import convert, encode
from realtime.crash import crash_point
from realtime.errors import DomainError, Forbidden, Invalid, NotFound, TryAgain

Type = Message.Type
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
    def digest(self) -> bytes:
        """What a repetition of this send must agree in."""
        payload = (self.conversation_id, self.message_type, self.content, self.metadata, self.reply_to_id)
        return hashlib.sha256(encode(payload)).digest()[:16]


@dataclass(slots=True)
class Sent:
    """A committed message; `duplicate` when it had been committed before."""

    message: Message
    duplicate: bool


def checked_send(draft: MessageDraft, *, conversation_id: UUID, sender_id: UUID) -> Send:
    """Check a draft and make it a send; a draft without a client_message_id gets one.

    :raises Invalid: blank or too long text, a wrong location, metadata too deep or too large.
    """
    check_text(draft.content, blank_allowed=draft.message_type == Type.LOCATION)
    metadata = draft.metadata
    if draft.message_type == Type.LOCATION:
        try:
            convert(metadata, Location)
        except DomainError as error:
            raise Invalid(metadata=error.message) from error
    if metadata:
        _check_metadata(metadata)
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
            with transaction.atomic():
                return _write(sends)
        except IntegrityError:
            continue
    return [TryAgain()] * len(sends)


def _write(sends: Sequence[Send]) -> list[Sent | DomainError]:
    conversations, places = _lock(sends)
    known = _known(sends)
    quoted = _quotable(sends)
    now = timezone.now()
    results: list[Sent | DomainError] = []
    messages: list[Message] = []
    entries: list[event_log.Entry] = []
    senders: list[Participant] = []
    for send in sends:
        key = (send.sender_id, send.client_message_id)
        original = known.get(key)
        if original is not None:
            same = original.payload_digest is None or bytes(original.payload_digest) == send.digest
            results.append(Sent(original, duplicate=True) if same else IdempotencyConflict())
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
            conversations[send.conversation_id],
            Event.Kind.NEW_MESSAGE,
            at=now,
            actor_id=send.sender_id,
            message_id=message.id,
            counts_as_unread=True,
        )
        message.sequence = entry.event.sequence
        entry.frame = NewMessage(
            conversation_id=str(send.conversation_id), sequence=message.sequence, message=message_body(message)
        )
        place.sent_count += 1
        place.last_sent_sequence = message.sequence
        known[key] = message
        messages.append(message)
        entries.append(entry)
        senders.append(place)
        results.append(Sent(message, duplicate=False))
    if messages:
        Message.objects.bulk_create(messages)
        crash_point("after_insert")
        event_log.append(entries)
        _save_sent_counts(senders)
    crash_point("before_commit")
    return results


def _lock(
    sends: Sequence[Send],
) -> tuple[dict[UUID, Conversation], dict[tuple[UUID, UUID], Participant]]:
    """Lock the conversations in the order of their ids, then read the senders' places as they are under the lock."""
    ids = {send.conversation_id for send in sends}
    locked = Conversation.objects.select_for_update().filter(id__in=ids).order_by("id")
    conversations = {conversation.id: conversation for conversation in locked}
    crash_point("after_lock")
    places = Participant.objects.filter(
        conversation_id__in=ids, user_id__in={send.sender_id for send in sends}, left_at=None
    ).order_by("conversation_id", "id")
    return conversations, {(place.conversation_id, place.user_id): place for place in places}


def _known(sends: Sequence[Send]) -> dict[tuple[UUID, UUID], Message]:
    """Return the messages that repeat: those that already have the sender and client id of a send."""
    found = Message.objects.filter(
        sender_id__in={send.sender_id for send in sends},
        client_message_id__in=[send.client_message_id for send in sends],
    )
    return {
        (message.sender_id, message.client_message_id): message
        for message in found
        if message.sender_id and message.client_message_id
    }


def _quotable(sends: Sequence[Send]) -> dict[UUID, tuple[UUID, int]]:
    """Return where the messages are that the batch replies to."""
    ids = {send.reply_to_id for send in sends if send.reply_to_id is not None}
    if not ids:
        return {}
    rows = Message.objects.filter(id__in=ids).values_list("id", "conversation_id", "sequence")
    return {id: (conversation_id, sequence) for id, conversation_id, sequence in rows}


def _refusal(send: Send, place: Participant | None, quoted: dict[UUID, tuple[UUID, int]]) -> DomainError | None:
    if place is None:
        return NotFound("conversation")
    if not place.can_send_messages:
        return Forbidden("You may not write in this conversation.")
    if send.reply_to_id is not None:
        conversation_id, sequence = quoted.get(send.reply_to_id, (None, 0))
        if conversation_id != send.conversation_id or sequence < place.history_from:
            return Invalid(reply_to_id="no such message in this conversation")
    return None


def _save_sent_counts(places: Sequence[Participant]) -> None:
    """Write how much each sender has sent; one pipelined round trip on PostgreSQL."""
    rows = {place.pk: (place.sent_count, place.last_sent_sequence, place.pk) for place in places}
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {Participant._meta.db_table} SET sent_count = %s, last_sent_sequence = %s WHERE id = %s",
            list(rows.values()),
        )


def _check_metadata(metadata: dict[str, Any]) -> None:
    limits = settings.LIMITS
    keys = 0
    level: list[Any] = [metadata]
    for _ in range(limits.json_depth):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                keys += len(value)
                if any("\x00" in key for key in value):
                    raise Invalid(metadata="NUL is not allowed")
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str) and "\x00" in value:
                raise Invalid(metadata="NUL is not allowed")
        level = below
    if level:
        raise Invalid(metadata=f"nested deeper than {limits.json_depth}")
    if keys > limits.json_keys:
        raise Invalid(metadata=f"more than {limits.json_keys} keys")
    if len(encode(metadata)) > limits.stored_message_bytes:
        raise Invalid(metadata=f"larger than {limits.stored_message_bytes} bytes")
