"""Steps that several services take inside their transactions."""

import datetime
from collections.abc import Sequence
from uuid import UUID

from accounts.models import User
from accounts.selectors import active_users, blocked_pairs
from conversations.models import Conversation, Participant
from conversations.selectors import participant_of, permissions
from conversations.signals import MembershipChanged, membership_changed
from realtime.wire.errors import Forbidden, Invalid

Role = Participant.Role


def locked_participant(user_id: UUID, conversation_id: UUID) -> Participant:
    """Lock the conversation, then return the member's place, and the conversation, as they are under the lock.

    :raises NotFound: as `participant_of`.
    """
    Conversation.objects.select_for_update(no_key=True).filter(id=conversation_id).first()
    return participant_of(user_id, conversation_id)


def require(participant: Participant, permission: str) -> None:
    """Check that the holder of a place may do something.

    :raises Forbidden: they may not.
    """
    if permission not in permissions(participant):
        raise Forbidden(f"Your role does not include {permission}.")


def check_people(user_ids: Sequence[UUID], field: str) -> dict[UUID, User]:
    """Check that all of the ids are active people, and return these.

    :raises Invalid: naming the request's field, when somebody is not.
    """
    people = {person.id: person for person in active_users(user_ids)}
    missing = set(user_ids) - people.keys()
    if missing:
        raise Invalid(**{field: f"no such user: {', '.join(sorted(map(str, missing)))[:200]}"})
    return people


def check_welcome(user_id: UUID, other_ids: Sequence[UUID]) -> None:
    """Check that a person may bring others into a group: nobody who blocks them or whom they block.

    :raises Forbidden: one of them is.
    """
    if blocked_pairs([user_id])[user_id].intersection(other_ids):
        raise Forbidden("You cannot add one of these people.")


def start_membership(participant: Participant, role: str, at: datetime.datetime, *, history_from: int) -> None:
    """Make a place current: nothing before it counts as unread, delivered or read late."""
    conversation = participant.conversation
    participant.role = role
    participant.can_send_messages = True
    participant.joined_at = at
    participant.left_at = None
    participant.muted_until, participant.notification_level = None, Participant.Level.ALL
    participant.pinned = participant.archived = False
    participant.history_from = history_from
    participant.last_read_sequence = participant.last_delivered_sequence = history_from - 1
    participant.read_message_count = conversation.message_count
    participant.read_sent_count = participant.sent_count
    participant.read_mentioned_count = participant.mentioned_count


def tell(
    conversation: Conversation,
    event: str,
    actor_id: UUID,
    at: datetime.datetime,
    *,
    user_ids: Sequence[UUID] = (),
    name: str | None = None,
) -> None:
    """Tell the apps above what happened to a group, inside the transaction."""
    change = MembershipChanged(conversation, event, actor_id, at, user_ids=user_ids, name=name)
    membership_changed.send(sender=Conversation, change=change)
