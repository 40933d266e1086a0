"""Mentions and their counters. A mention counts for members who may see the message, except its sender.

The counters are in the participants (`mentioned_count`), the rows that they count in the table of mentions. Both are
written under the conversation's row lock: for new messages as a part of their batch, for an edited or deleted message
one by one.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Case, F, When

from conversations.models import Participant
from messaging import frames
from messaging.models import Mention, Message
from messaging.services.drafts import Send
from realtime.database.rows import Columns, Statement, as_uuid, matching
from realtime.wire.errors import Invalid

_KEYS = Columns(Participant, "conversation", "user")
_MENTIONS = Columns(Mention, "conversation", "user", "message_id", "sequence")
_COUNTS = Columns(Participant, "id", "mentioned_count")


class Mentioned(msgspec.Struct):
    """The columns of a participant that a mention needs."""

    id: int
    is_member: bool
    mentioned_count: int


class Tally:
    """The mentions of a batch of new messages, given the rows of `finding_mentioned`."""

    def __init__(self, rows: Iterable[Sequence[Any]] = ()) -> None:
        self._participants = {
            (as_uuid(conversation_id), as_uuid(user_id)): Mentioned(participant_id, bool(is_member), count)
            for conversation_id, user_id, participant_id, is_member, count in rows
            if participant_id is not None
        }
        self._written: list[tuple[UUID, UUID, UUID, int]] = []
        self._raised: dict[int, Mentioned] = {}

    def refusal(self, send: Send) -> Invalid | None:
        """Return the refusal of a send that mentions a person who was never in the conversation, else None."""
        if all((send.conversation_id, mention.user_id) in self._participants for mention in send.mentions):
            return None
        return _strangers()

    def add(self, send: Send, message_id: UUID, sequence: int) -> None:
        """Count the mentions of a message that will be written."""
        for user_id in {mention.user_id for mention in send.mentions} - {send.sender_id}:
            participant = self._participants[send.conversation_id, user_id]
            if participant.is_member:
                participant.mentioned_count += 1
                self._raised[participant.id] = participant
                self._written.append((send.conversation_id, user_id, message_id, sequence))

    def writes(self) -> list[Statement]:
        """Return the statements that write mentions and counters; none if nobody was mentioned."""
        if not self._written:
            return []
        counts = [(participant.id, participant.mentioned_count) for participant in self._raised.values()]
        return [_MENTIONS.insert(self._written), _COUNTS.update(counts)]


def finding_mentioned(sends: Sequence[Send]) -> list[Statement]:
    """Return the statement that reads, under the locks, all mentioned participants; none if there are no mentions."""
    keys = {(send.conversation_id, mention.user_id) for send in sends for mention in send.mentions}
    return [Statement(_find_participants(), _KEYS.parameters(sorted(keys)))] if keys else []


@cache
def _find_participants() -> str:
    participant = matching(Participant, "p", "p.conversation_id = r.conversation_id AND p.user_id = r.user_id")
    return (
        "SELECT r.conversation_id, r.user_id, p.id, p.left_at IS NULL, p.mentioned_count "  # noqa: S608 - names only
        f"FROM {_KEYS.source} {participant}"
    )


def replace_mentions(message: Message, mentions: Sequence[frames.Mention]) -> None:
    """Replace the mentions of a message, and update the counters.

    The caller holds the conversation's row lock, and saves the message afterwards.

    :raises Invalid: a mentioned person was never in the conversation.
    """
    before: set[UUID] = set()
    if message.mentions:
        before = set(Mention.objects.filter(message_id=message.id).order_by().values_list("user_id", flat=True))
    now = _counted(message, {mention.user_id for mention in mentions}) if mentions else set()
    message.mentions = msgspec.to_builtins(mentions)
    if gone := before - now:
        Mention.objects.filter(message_id=message.id, user_id__in=gone).delete()
        _count(message, gone, -1)
    if new := now - before:
        Mention.objects.bulk_create(
            Mention(
                conversation_id=message.conversation_id,
                user_id=user_id,
                message_id=message.id,
                sequence=message.sequence,
            )
            for user_id in sorted(new)
        )
        _count(message, new, +1)


def _counted(message: Message, user_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the named people for whom the message counts as a mention."""
    rows = Participant.objects.filter(conversation_id=message.conversation_id, user_id__in=user_ids).order_by()
    participants = list(rows.only("user_id", "left_at", "history_from"))
    if len(participants) < len(user_ids):
        raise _strangers()
    return {
        participant.user_id
        for participant in participants
        if participant.left_at is None
        and participant.history_from <= message.sequence
        and participant.user_id != message.sender_id
    }


def _count(message: Message, user_ids: Collection[UUID], by: int) -> None:
    """Change the counters of some people by one mention. If they have read the message, the mention counts as read."""
    passed = Case(When(last_read_sequence__gte=message.sequence, then=by), default=0)
    Participant.objects.filter(conversation_id=message.conversation_id, user_id__in=user_ids).update(
        mentioned_count=F("mentioned_count") + by, read_mentioned_count=F("read_mentioned_count") + passed
    )


def _strangers() -> Invalid:
    return Invalid(mentions="somebody who was never in this conversation")
