"""The only way to write messages: a batch, in one transaction.

A single send is a batch of one; the socket's lanes, REST, commands and workers all call this module. A batch of any
size takes two round trips to PostgreSQL. The first locks the conversations and reads the facts about each send
(`facts`) and the mentioned participants (`mentions`). The second inserts messages and events, updates counters and
commits.
"""

from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

import msgspec
from django.db import IntegrityError, OperationalError, connection

from accounts.models import new_id
from conversations import event_log
from conversations.models import Participant
from conversations.selectors import may_write
from messaging import frames
from messaging.errors import IdempotencyConflict
from messaging.event_kinds import NEW_MESSAGE
from messaging.models import Message
from messaging.selectors.messages import MessageRow, message_body
from messaging.services.drafts import Send
from messaging.services.facts import Original, Sender, Sent, facts_in, finding
from messaging.services.mentions import Tally, finding_mentioned
from realtime.database import clock
from realtime.database.crash import crash_point
from realtime.database.rows import Columns, Statement
from realtime.wire.errors import DomainError, Forbidden, Invalid, NotFound, TryAgain
from realtime.writes.batches import BatchDecision, BatchWrite, Found, transacted

__all__ = ["SENDING", "Sent", "send_message", "send_messages"]

_SENT_COUNTS = Columns(Participant, "id", "sent_count")
# If another process commits the same send at the same moment, the second try finds it.
TRIES = 3


_COLUMNS = [field.name for field in msgspec.structs.fields(MessageRow) if field.required]
_values = attrgetter(*_COLUMNS)
_MESSAGES = Columns(Message, *_COLUMNS)


def send_message(send: Send) -> Sent:
    """Write one message.

    :raises DomainError: it was refused.
    """
    (result,) = send_messages([send])
    if isinstance(result, DomainError):
        raise result
    return result


def send_messages(sends: Sequence[Send]) -> list[Sent | DomainError]:
    """Write a batch in one transaction and answer each send, in order.

    A refusal does not affect the other sends. A repeated send always returns the original.
    If a lock times out, the sends to free conversations are written and the rest is answered with TryAgain.
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
    # The write has waited already, as long as PostgreSQL's lock_timeout.
    return TryAgain(retry_after=0.2)


def _reads(sends: Sequence[Send], wait: bool) -> list[Statement]:
    """Return the statements that lock the conversations and read the facts under the locks."""
    locking = event_log.locking_heads({send.conversation_id for send in sends}, wait=wait)
    return [locking, finding(sends), *finding_mentioned(sends)]


def _decide(sends: Sequence[Send], found: Found) -> BatchDecision[Sent]:
    """Take sequences for the sends that are allowed, and refuse the others."""
    crash_point("after_lock")
    locked, known, *mentioned = found
    heads = event_log.heads_in(locked)
    tally = Tally(*mentioned)
    now = clock.now()
    decision: BatchDecision[Sent] = BatchDecision([])
    messages: list[MessageRow] = []
    entries: list[event_log.Entry] = []
    senders: dict[int, Sender] = {}
    # A batch may contain a send twice: the second is a repetition of the first.
    originals: dict[tuple[UUID, UUID], Original] = {}
    for send, facts in zip(sends, facts_in(known), strict=True):
        key = (send.sender_id, send.client_message_id)
        original = facts.original or originals.get(key)
        if original is not None:
            decision.answers.append(_repeated(send, *original))
            continue
        if facts.sender is None:
            decision.answers.append(NotFound("conversation"))
            continue
        head = heads.get(send.conversation_id)
        if head is None:  # another transaction has locked it
            decision.answers.append(None)
            continue
        refusal = _refusal(send, head, facts.sender, facts.quoted) or tally.refusal(send)
        if refusal is not None:
            decision.answers.append(refusal)
            continue
        senders.setdefault(facts.sender.id, facts.sender).sent_count += 1
        message_id = new_id()
        entry = event_log.take(
            head,
            NEW_MESSAGE,
            at=now,
            actor_id=send.sender_id,
            message_id=message_id,
            counts_as_unread=True,
        )
        message = MessageRow(
            id=message_id,
            conversation_id=send.conversation_id,
            sequence=entry.sequence,
            sender_id=send.sender_id,
            client_message_id=send.client_message_id,
            message_type=send.message_type,
            content=send.content,
            metadata=send.metadata,
            mentions=list(send.mentions),
            reply_to_id=send.reply_to_id,
            payload_digest=send.digest,
            created_at=now,
        )
        body = message_body(message)
        entry.frame = frames.NewMessage(conversation_id=body.conversation_id, sequence=entry.sequence, message=body)
        sent = Sent(message_id, send.conversation_id, entry.sequence, now, duplicate=False)
        originals[key] = sent, message.payload_digest
        tally.add(send, message_id, entry.sequence)
        messages.append(message)
        entries.append(entry)
        decision.answers.append(sent)
    if messages:
        counts = [(sender.id, sender.sent_count) for sender in senders.values()]
        decision.writes = [
            _MESSAGES.insert(map(_values, messages)),
            *event_log.appending(entries),
            _SENT_COUNTS.update(counts),
            *tally.writes(),
        ]
        decision.announcements = [*event_log.announcements(entries)]
    return decision


SENDING = BatchWrite(_reads, _decide)


def _repeated(send: Send, original: Sent, digest: UUID | None) -> Sent | IdempotencyConflict:
    if original.conversation_id != send.conversation_id or digest not in (None, send.digest):
        return IdempotencyConflict()
    return msgspec.structs.replace(original, duplicate=True)


def _refusal(send: Send, head: event_log.Head, sender: Sender, quoted: tuple[UUID, int] | None) -> DomainError | None:
    if not may_write(can_send_messages=sender.can_send_messages, blocked=head.blocked):
        return Forbidden("You may not write in this conversation.")
    if send.reply_to_id is not None:
        conversation_id, sequence = quoted or (None, 0)
        if conversation_id != send.conversation_id or sequence < sender.history_from:
            return Invalid(reply_to_id="no such message in this conversation")
    return None
