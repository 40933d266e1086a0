"""Participants of conversations, and the parts of the logs that they may see."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import QuerySet

from conversations import epoch
from conversations.errors import NotAParticipant
from conversations.models import Conversation, Participant
from realtime.database.rows import Columns, as_uuid, matching, one_id
from realtime.wire.errors import NotFound

USERS = Columns(Participant, "user")


class ConversationRow(msgspec.Struct):
    """The columns that a conversation body needs."""

    id: UUID
    type: str
    name: str
    description: str
    avatar_url: str
    created_by_id: UUID | None
    created_at: datetime
    updated_at: datetime
    last_activity_at: datetime
    last_sequence: int
    last_message_sequence: int
    message_count: int
    participant_count: int
    blocked: bool
    notifications_enabled: bool


class ParticipantRow(msgspec.Struct):
    """The columns of a participant that a conversation body needs, with the conversation."""

    conversation: ConversationRow
    user_id: UUID
    conversation_id: UUID
    role: str
    can_send_messages: bool
    joined_at: datetime
    history_from: int
    last_read_sequence: int
    sent_count: int
    read_message_count: int
    read_sent_count: int
    mentioned_count: int
    read_mentioned_count: int
    muted_until: datetime | None
    notification_level: str
    pinned: bool
    archived: bool


# A participant with the conversation, as an instance of the model or as a row.
ParticipantOrRow = Participant | ParticipantRow


class VisibleLog(msgspec.Struct, frozen=True):
    """The part of a log that a member may see: from their history start to the head."""

    history_from: int
    last_sequence: int

    def can_continue(self, cursor: int) -> bool:
        """Whether a client that has everything up to `cursor` can be given the rest."""
        return self.history_from - 1 <= cursor <= self.last_sequence


def participant_of(user_id: UUID, conversation_id: UUID) -> Participant:
    """Return the participant that a member is in a conversation, with the conversation.

    :raises NotFound: there is no such conversation, or the user is not a member; the error does not say which.
    """
    participant = (
        Participant.objects.select_related("conversation")
        .filter(conversation_id=conversation_id, user_id=user_id, left_at=None)
        .first()
    )
    if participant is None:
        raise NotFound("conversation")
    return participant


def history_start(user_id: UUID, conversation_id: UUID) -> int:
    """Return the sequence of the first event that a member may see.

    :raises NotFound: as `participant_of`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT history_from FROM {Participant._meta.db_table} "  # noqa: S608
            "WHERE conversation_id = %s AND user_id = %s AND left_at IS NULL",
            [one_id(conversation_id), one_id(user_id)],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound("conversation")
    start: int = row[0]
    return start


def current_participants(conversation_id: UUID) -> QuerySet[Participant]:
    """Return the current participants of a conversation with their users, in the order in which they joined."""
    return (
        Participant.objects.select_related("user")
        .filter(conversation_id=conversation_id, left_at=None)
        .order_by("joined_at", "id")
    )


def participant_in(conversation_id: UUID, user_id: UUID) -> Participant:
    """Return a current participant, with the user.

    :raises NotAParticipant: the user is not in the conversation.
    """
    participant = current_participants(conversation_id).filter(user_id=user_id).first()
    if participant is None:
        raise NotAParticipant
    return participant


def heads_of(user_id: UUID) -> tuple[str, dict[UUID, VisibleLog]]:
    """Return the epoch, and the visible log of each conversation of a user."""
    now, [heads] = heads_of_each([user_id])
    return now, heads


def heads_of_each(user_ids: Sequence[UUID]) -> tuple[str, list[dict[UUID, VisibleLog]]]:
    """Return the epoch, and for each user what `heads_of` returns, all from one snapshot."""
    now, rows = epoch.read_with(
        "p.user_id, p.conversation_id, p.history_from, c.last_sequence",
        f"CROSS JOIN {USERS.source} "
        f"{matching(Participant, 'p', 'p.user_id = r.user_id AND p.left_at IS NULL', many=True)} "
        f"{matching(Conversation, 'c', 'c.id = p.conversation_id')}",
        USERS.parameters((user_id,) for user_id in user_ids),
    )
    heads: dict[UUID, dict[UUID, VisibleLog]] = {user_id: {} for user_id in user_ids}
    for user_id, conversation_id, history_from, head in rows:
        if user_id is not None:
            heads[as_uuid(user_id)][as_uuid(conversation_id)] = VisibleLog(history_from, head)
    return now, [heads[user_id] for user_id in user_ids]
