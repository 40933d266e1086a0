"""How a conversation and its participants look to a viewer."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import cast
from uuid import UUID

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from conversations import event_log, frames
from conversations.models import Conversation, Participant
from conversations.selectors.places import permissions, place_of

LISTED_PARTICIPANTS = 50


def participant_body(place: Participant) -> frames.ParticipantBody:
    """Return a place as the other members see it."""
    return frames.ParticipantBody(
        user_id=str(place.user_id),
        username=place.user.username,
        display_name=place.user.shown_name,
        avatar_url=place.user.avatar_url,
        role=cast(frames.Role, place.role),
        can_send_messages=place.can_send_messages,
        joined_at=place.joined_at,
        last_read_sequence=place.last_read_sequence,
        last_delivered_sequence=place.last_delivered_sequence,
    )


def conversation_bodies(places: Sequence[Participant], viewer: UUID | None) -> list[frames.ConversationBody]:
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


def _conversation_body(place: Participant, listed: list[Participant], top: object | None) -> frames.ConversationBody:
    conversation = place.conversation
    others = [other for other in listed if other.user_id != place.user_id]
    return frames.ConversationBody(
        id=str(conversation.id),
        type=cast(frames.Type, conversation.type),
        name=conversation.name,
        display_name=conversation.name or ", ".join(other.user.shown_name for other in others[:5]) or "Empty group",
        description=conversation.description,
        avatar_url=conversation.avatar_url
        or (others[0].user.avatar_url if conversation.type == Conversation.Type.DIRECT and others else ""),
        created_by=str(conversation.created_by_id) if conversation.created_by_id else None,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        last_sequence=conversation.last_sequence,
        last_message=top,
        participant_count=conversation.participant_count,
        participants=[participant_body(each) for each in listed],
        unread_count=place.unread_count(conversation.message_count),
        me=frames.MyPlace(
            role=cast(frames.Role, place.role),
            joined_at=place.joined_at,
            last_read_sequence=place.last_read_sequence,
        ),
        my_permissions=permissions(place),
    )


def _listed_participants(conversation_ids: Collection[UUID]) -> dict[UUID, list[Participant]]:
    """Return the first participants of each conversation, as many as a body lists."""
    listed: dict[UUID, list[Participant]] = defaultdict(list)
    rows = (
        Participant.objects.select_related("user")
        .filter(conversation_id__in=conversation_ids, left_at=None)
        .annotate(
            position=Window(
                RowNumber(), partition_by=[F("conversation_id")], order_by=[F("joined_at").asc(), F("id").asc()]
            )
        )
        .filter(position__lte=LISTED_PARTICIPANTS)
        .order_by("conversation_id", "position")
    )
    for row in rows:
        listed[row.conversation_id].append(row)
    return listed
