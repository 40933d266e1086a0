"""Who shares conversations with whom."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from accounts.selectors import blocked_pairs
from conversations.models import Conversation, Participant
from conversations.selectors.participants import USERS
from realtime.database.rows import as_uuid, matching


def members_among(conversation_id: UUID, user_ids: Collection[UUID]) -> list[UUID]:
    """Return those of the people who are members of a conversation."""
    if not user_ids:
        return []
    participants = Participant.objects.filter(conversation_id=conversation_id, user_id__in=user_ids, left_at=None)
    return list(participants.order_by("id").values_list("user_id", flat=True))


def peers_of(user_ids: Collection[UUID], *, most_participants: int) -> dict[UUID, set[UUID]]:
    """Return for each user who shares a conversation of at most that size with them, without blocked pairs."""
    peers: dict[UUID, set[UUID]] = {user_id: set() for user_id in user_ids}
    if not peers:
        return peers
    # Looked up person by person: PostgreSQL cannot know how few people are asked for and would join whole tables.
    participants = matching(Participant, "p", "p.user_id = r.user_id AND p.left_at IS NULL", many=True)
    small = matching(Conversation, "c", "c.id = p.conversation_id AND c.participant_count <= %s")
    others = matching(Participant, "o", "o.conversation_id = c.id AND o.left_at IS NULL", many=True)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT r.user_id, o.user_id FROM {USERS.source} {participants} {small} {others} "  # noqa: S608
            "WHERE o.user_id <> r.user_id",
            [*USERS.parameters((user_id,) for user_id in peers), most_participants],
        )
        for user_id, other_id in cursor.fetchall():
            peers[as_uuid(user_id)].add(as_uuid(other_id))
    for user_id, blocked in blocked_pairs(peers).items():
        peers[user_id] -= blocked
    return peers


def sharing_conversation(user_id: UUID, other_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the others who are active and members of a common conversation with a person."""
    mine = Participant.objects.filter(user_id=user_id, left_at=None).values("conversation_id")
    theirs = Participant.objects.filter(
        user_id__in=other_ids, user__is_active=True, left_at=None, conversation_id__in=mine
    )
    return set(theirs.order_by().values_list("user_id", flat=True).distinct())


def shares_conversation(user_id: UUID, other_id: UUID, *, most_participants: int | None = None) -> bool:
    """Return whether two people are members of a common conversation, of at most that size if one is given."""
    mine = Participant.objects.filter(user_id=user_id, left_at=None)
    if most_participants is not None:
        mine = mine.filter(conversation__participant_count__lte=most_participants)
    theirs = Participant.objects.filter(
        user_id=other_id, left_at=None, conversation_id__in=mine.values("conversation_id")
    )
    return theirs.exists()
