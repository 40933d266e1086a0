"""The people around somebody."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from conversations.models import Participant


def peers_of(user_ids: Collection[UUID], *, most_participants: int) -> dict[UUID, set[UUID]]:
    """Return for each user those who share a conversation of at most that size with them."""
    mine = Participant.objects.filter(
        user_id__in=user_ids, left_at=None, conversation__participant_count__lte=most_participants
    ).values_list("user_id", "conversation_id")
    conversations_of: dict[UUID, set[UUID]] = defaultdict(set)
    for user_id, conversation_id in mine:
        conversations_of[conversation_id].add(user_id)
    peers: dict[UUID, set[UUID]] = {user_id: set() for user_id in user_ids}
    others = Participant.objects.filter(conversation_id__in=conversations_of.keys(), left_at=None)
    for conversation_id, other_id in others.values_list("conversation_id", "user_id"):
        for user_id in conversations_of[conversation_id]:
            if other_id != user_id:
                peers[user_id].add(other_id)
    return peers


def shares_conversation(user_id: UUID, other_id: UUID) -> bool:
    """Return whether two people are in one conversation now."""
    mine = Participant.objects.filter(user_id=user_id, left_at=None)
    return Participant.objects.filter(
        user_id=other_id, left_at=None, conversation_id__in=mine.values("conversation_id")
    ).exists()
