"""The people around somebody."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from conversations.models import Conversation, Participant
from realtime.rows import as_uuid, ids, ids_in


def peers_of(user_ids: Collection[UUID], *, most_participants: int) -> dict[UUID, set[UUID]]:
    """Return for each user those who share a conversation of at most that size with them."""
    places, conversations = Participant._meta.db_table, Conversation._meta.db_table
    peers: dict[UUID, set[UUID]] = {user_id: set() for user_id in user_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT mine.user_id, other.user_id "  # noqa: S608 - names of tables only
            f"FROM {places} AS mine "
            f"JOIN {conversations} AS c ON c.id = mine.conversation_id AND c.participant_count <= %s "
            f"JOIN {places} AS other ON other.conversation_id = mine.conversation_id AND other.left_at IS NULL "
            f"WHERE {ids_in('mine.user_id')} AND mine.left_at IS NULL AND other.user_id <> mine.user_id",
            [most_participants, ids(user_ids)],
        )
        for user_id, other_id in cursor:
            peers[as_uuid(user_id)].add(as_uuid(other_id))
    return peers


def shares_conversation(user_id: UUID, other_id: UUID) -> bool:
    """Return whether two people are in one conversation now."""
    mine = Participant.objects.filter(user_id=user_id, left_at=None)
    return Participant.objects.filter(
        user_id=other_id, left_at=None, conversation_id__in=mine.values("conversation_id")
    ).exists()
