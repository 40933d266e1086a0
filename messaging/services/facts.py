"""The facts that decide about sends, read by one statement under the locks."""

import datetime
from collections.abc import Iterator, Sequence
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec

from conversations.models import Participant
from messaging.models import Message
from messaging.services.drafts import Send
from realtime.database.rows import Columns, Statement, as_moment, as_uuid, matching

_KEYS = Columns(Message, "conversation", "sender", "client_message_id", "reply_to_id", numbered=True)


class Sender(msgspec.Struct):
    """The columns of a participant that a send needs."""

    id: int
    can_send_messages: bool
    history_from: int
    sent_count: int


class Sent(msgspec.Struct, frozen=True):
    """A committed message; `duplicate` if an earlier request wrote it."""

    message_id: UUID
    conversation_id: UUID
    sequence: int
    created_at: datetime.datetime
    duplicate: bool


# A message with the digest of its send, None once it was deleted.
Original = tuple[Sent, UUID | None]


class SendFacts(msgspec.Struct):
    """The facts about one send.

    `sender` is None unless they are a member. `original` is the message that an earlier request with the same
    `client_message_id` wrote. `quoted` is conversation and sequence of the message that the send replies to.
    """

    sender: Sender | None
    original: Original | None = None
    quoted: tuple[UUID, int] | None = None


def finding(sends: Sequence[Send]) -> Statement:
    """Return the statement that reads the facts about each send, under the locks; `facts_in` reads its rows."""
    keys = [(send.conversation_id, send.sender_id, send.client_message_id, send.reply_to_id) for send in sends]
    return Statement(_find_facts(), _KEYS.parameters(keys))


def facts_in(rows: Sequence[Sequence[Any]]) -> Iterator[SendFacts]:
    """Return the facts from the rows of `finding`, in the order of the sends."""
    for row in sorted(rows, key=itemgetter(0)):
        _, participant_id, can_send_messages, history_from, sent_count, *original, quoted_in, quoted_sequence = row
        yield SendFacts(
            sender=Sender(participant_id, can_send_messages, history_from, sent_count)
            if participant_id is not None
            else None,
            original=_original(*original) if original[0] is not None else None,
            quoted=(as_uuid(quoted_in), quoted_sequence) if quoted_in is not None else None,
        )


def _original(id: Any, conversation_id: Any, sequence: int, created_at: Any, digest: Any) -> Original:
    sent = Sent(as_uuid(id), as_uuid(conversation_id), sequence, as_moment(created_at), duplicate=True)
    return sent, as_uuid(digest) if digest is not None else None


@cache
def _find_facts() -> str:
    participant = matching(
        Participant, "p", "p.conversation_id = r.conversation_id AND p.user_id = r.sender_id AND p.left_at IS NULL"
    )
    original = matching(Message, "m", "m.sender_id = r.sender_id AND m.client_message_id = r.client_message_id")
    quoted = matching(Message, "q", "q.id = r.reply_to_id")
    return (
        "SELECT r.n, p.id, p.can_send_messages, p.history_from, p.sent_count, "  # noqa: S608 - names only
        "m.id, m.conversation_id, m.sequence, m.created_at, m.payload_digest, q.conversation_id, q.sequence "
        f"FROM {_KEYS.source} {participant} {original} {quoted}"
    )
