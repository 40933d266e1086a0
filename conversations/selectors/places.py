"""Who is in a conversation, and what they may do in it."""

from uuid import UUID

from django.db.models import QuerySet

from conversations.errors import NotAParticipant
from conversations.models import Conversation, Participant
from realtime.errors import NotFound


def place_of(user_id: UUID, conversation_id: UUID) -> Participant:
    """Return a member's place, with its conversation.

    :raises NotFound: no such conversation, or the user is not in it: the answer does not say which.
    """
    place = (
        Participant.objects.select_related("conversation")
        .filter(conversation_id=conversation_id, user_id=user_id, left_at=None)
        .first()
    )
    if place is None:
        raise NotFound("conversation")
    return place


def places_now(conversation_id: UUID) -> QuerySet[Participant]:
    """Return the places of those who are in the conversation, with their people, in the order in which they came."""
    return (
        Participant.objects.select_related("user")
        .filter(conversation_id=conversation_id, left_at=None)
        .order_by("joined_at", "id")
    )


def place_in(conversation_id: UUID, user_id: UUID) -> Participant:
    """Return the place of a named user.

    :raises NotAParticipant: they are not in the conversation.
    """
    place = places_now(conversation_id).filter(user_id=user_id).first()
    if place is None:
        raise NotAParticipant
    return place


def permissions(place: Participant) -> list[str]:
    """Return what the holder of a place may do, given its conversation is loaded."""
    may = ["send_messages"] if place.can_send_messages else []
    if place.conversation.type == Conversation.Type.DIRECT:
        return may
    if place.role in (Participant.Role.OWNER, Participant.Role.ADMIN):
        may += ["add_participants", "remove_participants", "update_conversation"]
    if place.role == Participant.Role.OWNER:
        may.append("change_roles")
    return [*may, "leave"]


def heads_of(user_id: UUID) -> list[Participant]:
    """Return all places of a user now, with their conversations."""
    return list(Participant.objects.select_related("conversation").filter(user_id=user_id, left_at=None))
