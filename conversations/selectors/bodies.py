"""How a conversation and its participants look to a viewer."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection

from accounts.models import User
from conversations import event_log, frames
from conversations.models import Conversation, Participant
from conversations.selectors.permissions import permissions
from conversations.selectors.places import Place, place_of
from conversations.selectors.unread import mention_count, unread_count
from realtime.database.rows import as_moment, as_uuid, ids, ids_in

LISTED_PARTICIPANTS = 50


def participant_body(place: Participant) -> frames.ParticipantBody:
    """Return a place as the other members see it."""
    return frames.ParticipantBody(
        user_id=place.user_id,
        username=place.user.username,
        display_name=place.user.shown_name,
        avatar_url=place.user.avatar_url,
        role=place.role,
        can_send_messages=place.can_send_messages,
        joined_at=place.joined_at,
        last_read_sequence=place.last_read_sequence,
        last_delivered_sequence=place.last_delivered_sequence,
    )


def conversation_bodies(places: Sequence[Place], viewer: UUID | None) -> list[frames.ConversationBody]:
    """Return the conversations of places as their holders see them, in their order; few queries, however many.

    `viewer` is the holder of all the places; None when they are several people's: then the last message has
    the status that it has for everybody when it is new.
    """
    if not places:
        return []
    listed = _listed_participants([place.conversation_id for place in places])
    tops = event_log.messages_at(
        [
            (place.conversation_id, place.conversation.last_message_sequence)
            for place in places
            if place.conversation.last_message_sequence >= place.history_from
        ],
        viewer,
    )
    return [
        _conversation_body(place, listed[place.conversation_id], tops.get(place.conversation_id)) for place in places
    ]


def conversation_body(user_id: UUID, conversation_id: UUID) -> frames.ConversationBody:
    """Return one conversation as a member sees it.

    :raises NotFound: as `place_of`.
    """
    return conversation_bodies([place_of(user_id, conversation_id)], user_id)[0]


def _conversation_body(
    place: Place, listed: list[frames.ParticipantBody], top: object | None
) -> frames.ConversationBody:
    conversation = place.conversation
    others = [other for other in listed if other.user_id != place.user_id]
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
        unread_count=unread_count(place, conversation.message_count),
        mention_count=mention_count(place),
        me=my_place(place),
        my_permissions=permissions(place),
        settings=frames.ConversationSettings(notifications_enabled=conversation.notifications_enabled),
    )


def my_place(place: Place) -> frames.MyPlace:
    """Return a place as its holder sees it."""
    return frames.MyPlace(
        role=place.role,
        joined_at=place.joined_at,
        last_read_sequence=place.last_read_sequence,
        muted_until=place.muted_until,
        pinned=place.pinned,
        archived=place.archived,
        notification_level=place.notification_level,
    )


def _listed_participants(conversation_ids: Collection[UUID]) -> dict[UUID, list[frames.ParticipantBody]]:
    """Return the first participants of each conversation, as many as a body lists.

    A page of conversations may list thousands of people: their rows are read as what they are shown as.
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
