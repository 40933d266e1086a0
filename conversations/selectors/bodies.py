"""Bodies of conversations and participants, as a viewer sees them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection

from accounts.models import User
from conversations import frames
from conversations.event_registry import event_registry
from conversations.models import Conversation, Participant
from conversations.selectors.participants import ParticipantOrRow, participant_of
from conversations.selectors.permissions import permissions
from conversations.selectors.unread import mention_count, unread_count
from realtime.database.rows import as_moment, as_uuid, ids, ids_in

LISTED_PARTICIPANTS = 50


def participant_body(participant: Participant) -> frames.ParticipantBody:
    """Return a participant as other members see them."""
    return frames.ParticipantBody(
        user_id=participant.user_id,
        username=participant.user.username,
        display_name=participant.user.shown_name,
        avatar_url=participant.user.avatar_url,
        role=participant.role,
        can_send_messages=participant.can_send_messages,
        joined_at=participant.joined_at,
        last_read_sequence=participant.last_read_sequence,
        last_delivered_sequence=participant.last_delivered_sequence,
    )


def conversation_bodies(participants: Sequence[ParticipantOrRow], viewer: UUID | None) -> list[frames.ConversationBody]:
    """Return, for each participant, their conversation as they see it, in order; a fixed number of queries.

    `viewer` is the user of all the participants, or None if they are several people: the last message then has the
    status "sent", which a new message has for everybody.
    """
    if not participants:
        return []
    listed = _listed_participants([participant.conversation_id for participant in participants])
    tops = event_registry.messages_at(
        [
            (participant.conversation_id, participant.conversation.last_message_sequence)
            for participant in participants
            if participant.conversation.last_message_sequence >= participant.history_from
        ],
        viewer,
    )
    return [
        _conversation_body(participant, listed[participant.conversation_id], tops.get(participant.conversation_id))
        for participant in participants
    ]


def conversation_body(user_id: UUID, conversation_id: UUID) -> frames.ConversationBody:
    """Return one conversation as a member sees it.

    :raises NotFound: as `participant_of`.
    """
    return conversation_bodies([participant_of(user_id, conversation_id)], user_id)[0]


def _conversation_body(
    participant: ParticipantOrRow, listed: list[frames.ParticipantBody], top: object | None
) -> frames.ConversationBody:
    conversation = participant.conversation
    others = [other for other in listed if other.user_id != participant.user_id]
    return frames.ConversationBody(
        id=conversation.id,
        type=conversation.type,
        name=conversation.name,
        display_name=conversation.name or ", ".join(other.display_name for other in others[:5]) or "Empty group",
        description=conversation.description,
        avatar_url=conversation.avatar_url
        or (others[0].avatar_url if conversation.type == Conversation.Type.DIRECT and others else ""),
        created_by=conversation.created_by_id,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        last_sequence=conversation.last_sequence,
        last_message=top,
        participant_count=conversation.participant_count,
        participants=listed,
        unread_count=unread_count(participant, conversation.message_count),
        mention_count=mention_count(participant),
        me=own_participant_body(participant),
        my_permissions=permissions(participant),
        settings=frames.ConversationSettings(notifications_enabled=conversation.notifications_enabled),
    )


def own_participant_body(participant: ParticipantOrRow) -> frames.MyPlace:
    """Return a participant as they see themselves."""
    return frames.MyPlace(
        role=participant.role,
        joined_at=participant.joined_at,
        last_read_sequence=participant.last_read_sequence,
        muted_until=participant.muted_until,
        pinned=participant.pinned,
        archived=participant.archived,
        notification_level=participant.notification_level,
    )


def _listed_participants(conversation_ids: Collection[UUID]) -> dict[UUID, list[frames.ParticipantBody]]:
    """Return the first participants of each conversation, at most `LISTED_PARTICIPANTS`.

    A page of conversations may list thousands of people, so bodies are made from rows without model instances.
    """
    listed: dict[UUID, list[frames.ParticipantBody]] = defaultdict(list)
    # Nothing in the text comes from outside: names of tables and columns, and a number.
    numbered = (
        "SELECT *, row_number() OVER (PARTITION BY conversation_id ORDER BY joined_at, id) AS position "  # noqa: S608
        f"FROM {Participant._meta.db_table} WHERE {ids_in('conversation_id')} AND left_at IS NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.conversation_id, u.id, u.username, u.display_name, u.avatar_url, p.role, p.can_send_messages, "  # noqa: S608
            f"p.joined_at, p.last_read_sequence, p.last_delivered_sequence FROM ({numbered}) AS p "
            f"JOIN {User._meta.db_table} AS u ON u.id = p.user_id "
            f"WHERE p.position <= {LISTED_PARTICIPANTS} ORDER BY p.conversation_id, p.position",
            [ids(conversation_ids)],
        )
        rows = cursor.fetchall()
    for conversation_id, user_id, username, display_name, avatar_url, role, can_send, joined, read, got in rows:
        listed[as_uuid(conversation_id)].append(
            frames.ParticipantBody(
                user_id=as_uuid(user_id),
                username=username,
                display_name=display_name or username,
                avatar_url=avatar_url,
                role=role,
                can_send_messages=bool(can_send),
                joined_at=as_moment(joined),
                last_read_sequence=read,
                last_delivered_sequence=got,
            )
        )
    return listed
