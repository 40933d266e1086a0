"""The one way in which messages are written: a batch, in one transaction.

A single send is a batch of one; the socket's lanes, REST, commands and workers all end here.
A batch, however large, is two round trips to PostgreSQL: lock the conversations and read all that is known of
each send; insert messages and events, update counters and commit.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection

from accounts.models import new_id
from conversations import event_log
from conversations.models import Event, Participant
from messaging import frames
from messaging.errors import IdempotencyConflict
from messaging.frames import Type
from messaging.models import Message
from messaging.selectors.messages import message_body
from messaging.services.drafts import Send
from realtime import clock
from realtime.batches import BatchWrite, Decision, Found, transacted
from realtime.crash import crash_point
from realtime.errors import DomainError, Forbidden, Invalid, NotFound, TryAgain
from realtime.rows import Columns, Statement, as_moment, as_uuid, matching

_KEYS = Columns(Message, "conversation", "sender", "client_message_id", "reply_to_id")
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
class _Written:
    """A message of this batch: its row, and all that `message_body` needs to show it."""

    id: UUID
    conversation_id: UUID
    sequence: int
    sender_id: UUID | None
    client_message_id: UUID | None
    message_type: Type
    content: str
    metadata: dict[str, Any]
    reply_to_id: UUID | None
    payload_digest: UUID
    created_at: datetime.datetime
    edited_at: datetime.datetime | None = None
    deleted_at: datetime.datetime | None = None


# A new row leaves the rest to the database.
_COLUMNS = [field.name for field in fields(_Written) if field.default is MISSING]
_values = attrgetter(*_COLUMNS)
_MESSAGES = Columns(Message, *_COLUMNS)


@dataclass(slots=True)
class _Place:
    """What sending needs of a participant."""

    id: int
    can_send_messages: bool
    history_from: int
    sent_count: int


@dataclass(slots=True)
class _Original:
    """A message that was sent before, and the digest of what it said; None once it was deleted."""

    sent: Sent
    digest: UUID | None


@dataclass(slots=True)
class _Facts:
    """What is known of one send: the sender's place, what the same send wrote before, where the quoted message is."""

    place: _Place | None
    original: _Original | None
    quoted: tuple[UUID, int] | None


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
    When a lock cannot be had in time, all that needs none that is held is written; the rest is to be tried again.
    """
    try:
        return _written(sends)
    except OperationalError:
        if not connection.is_usable():
            raise
        return _written(sends, wait=False)


def _written(sends: Sequence[Send], *, wait: bool = True) -> list[Sent | DomainError]:
    for _ in range(TRIES):
        try:
            return [answer or _locked() for answer in transacted(SENDING, sends, wait=wait)]
        except IntegrityError:
            continue
    return [_locked()] * len(sends)


def _locked() -> TryAgain:
    # It was waited for already, as long as PostgreSQL's lock_timeout.
    return TryAgain(retry_after=0.2)


def _reads(sends: Sequence[Send], wait: bool) -> list[Statement]:
    """Return how to lock the conversations, and how to read, under the locks, what is known of each send."""
    keys = [(send.conversation_id, send.sender_id, send.client_message_id, send.reply_to_id) for send in sends]
    return [
        event_log.locking_heads({send.conversation_id for send in sends}, wait=wait),
        Statement(_find_facts(), _KEYS.parameters(keys)),
    ]


def _decide(sends: Sequence[Send], found: Found) -> Decision[Sent]:
    """Take sequences for the sends that may be written, and refuse the others."""
    crash_point("after_lock")
    locked, known = found
    heads = event_log.heads_in(locked)
    now = clock.now()
    decision: Decision[Sent] = Decision([])
    messages: list[tuple[Any, ...]] = []
    entries: list[event_log.Entry] = []
    senders: dict[int, _Place] = {}
    # A batch may hold a send twice: the second is a repetition of the first.
    originals: dict[tuple[UUID, UUID], _Original] = {}
    for send, facts in zip(sends, _facts(known), strict=True):
        key = (send.sender_id, send.client_message_id)
        original = facts.original or originals.get(key)
        if original is not None:
            same = original.sent.conversation_id == send.conversation_id and original.digest in (None, send.digest)
            decision.answers.append(replace(original.sent, duplicate=True) if same else IdempotencyConflict())
            continue
        head = heads.get(send.conversation_id)
        if facts.place is not None and head is None:
            decision.answers.append(None)
            continue
        refusal = _refusal(send, facts)
        if refusal is not None or facts.place is None or head is None:
            decision.answers.append(refusal or NotFound("conversation"))
            continue
        place = senders.setdefault(facts.place.id, facts.place)
        place.sent_count += 1
        sent = Sent(new_id(), send.conversation_id, head.last_sequence + 1, now, duplicate=False)
        entry = event_log.take(
            head,
            Event.Kind.NEW_MESSAGE,
            at=now,
            actor_id=send.sender_id,
            message_id=sent.message_id,
            counts_as_unread=True,
        )
        message = _Written(
            id=sent.message_id,
            conversation_id=send.conversation_id,
            sequence=sent.sequence,
            sender_id=send.sender_id,
            client_message_id=send.client_message_id,
            message_type=send.message_type,
            content=send.content,
            metadata=send.metadata,
            reply_to_id=send.reply_to_id,
            payload_digest=send.digest,
            created_at=now,
        )
        body = message_body(message)
        entry.frame = frames.NewMessage(conversation_id=body.conversation_id, sequence=sent.sequence, message=body)
        originals[key] = _Original(sent, message.payload_digest)
        messages.append(_values(message))
        entries.append(entry)
        decision.answers.append(sent)
    if messages:
        decision.writes = [
            _MESSAGES.insert(messages),
            *event_log.appending(entries),
            _SENT_COUNTS.update([(place.id, place.sent_count) for place in senders.values()]),
        ]
        decision.announcements = [*event_log.announcements(entries)]
    return decision


SENDING = BatchWrite(_reads, _decide)


@cache
def _find_facts() -> str:
    """Return the statement for what is known of sends, one row for each."""
    place = matching(
        Participant, "p", "p.conversation_id = r.conversation_id AND p.user_id = r.sender_id AND p.left_at IS NULL"
    )
    original = matching(Message, "m", "m.sender_id = r.sender_id AND m.client_message_id = r.client_message_id")
    quoted = matching(Message, "q", "q.id = r.reply_to_id")
    return (
        "SELECT r.n, p.id, p.can_send_messages, p.history_from, p.sent_count, "  # noqa: S608 - names only
        "m.id, m.conversation_id, m.sequence, m.created_at, m.payload_digest, q.conversation_id, q.sequence "
        f"FROM {_KEYS.source} {place} {original} {quoted}"
    )


def _facts(rows: Sequence[Sequence[Any]]) -> Iterator[_Facts]:
    """Read what `_find_facts` found, in the order of the sends."""
    for row in sorted(rows, key=itemgetter(0)):
        _, place_id, can_send_messages, history_from, sent_count, *original, quoted_in, quoted_sequence = row
        yield _Facts(
            place=_Place(place_id, can_send_messages, history_from, sent_count) if place_id is not None else None,
            original=_original(*original) if original[0] is not None else None,
            quoted=(as_uuid(quoted_in), quoted_sequence) if quoted_in is not None else None,
        )


def _original(id: Any, conversation_id: Any, sequence: int, created_at: Any, digest: Any) -> _Original:
    sent = Sent(as_uuid(id), as_uuid(conversation_id), sequence, as_moment(created_at), duplicate=True)
    return _Original(sent, as_uuid(digest) if digest is not None else None)


def _refusal(send: Send, facts: _Facts) -> DomainError | None:
    if facts.place is None:
        return NotFound("conversation")
    if not facts.place.can_send_messages:
        return Forbidden("You may not write in this conversation.")
    if send.reply_to_id is not None:
        conversation_id, sequence = facts.quoted or (None, 0)
        if conversation_id != send.conversation_id or sequence < facts.place.history_from:
            return Invalid(reply_to_id="no such message in this conversation")
    return None
