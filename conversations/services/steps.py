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
    """Lock the conversation; return the participant, with the conversation, as they are under the lock.

    :raises NotFound: as `participant_of`.
    """
    Conversation.objects.select_for_update(no_key=True).filter(id=conversation_id).first()
    return participant_of(user_id, conversation_id)


def require(participant: Participant, permission: str) -> None:
    """Check that a participant has a permission.

    :raises Forbidden: they do not have it.
    """
    if permission not in permissions(participant):
        raise Forbidden(f"Your role does not include {permission}.")


def check_people(user_ids: Sequence[UUID], field: str) -> dict[UUID, User]:
    """Return the active users with these ids.

    :raises Invalid: one of them is not an active user; it names `field` of the request.
    """
    people = {person.id: person for person in active_users(user_ids)}
    missing = set(user_ids) - people.keys()
    if missing:
        raise Invalid(**{field: f"no such user: {', '.join(sorted(map(str, missing)))[:200]}"})
    return people


def check_not_blocked(user_id: UUID, other_ids: Sequence[UUID]) -> None:
    """Check that none of the others forms a blocked pair with the user who adds them.

    :raises Forbidden: one of them does.
    """
    if blocked_pairs([user_id])[user_id].intersection(other_ids):
        raise Forbidden("You cannot add one of these people.")


def start_membership(participant: Participant, role: str, at: datetime.datetime, *, history_from: int) -> None:
    """Make a participant a current member; all positions and counters begin at their history start."""
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


def send_membership_changed(
    conversation: Conversation,
    event: str,
    actor_id: UUID,
    at: datetime.datetime,
    *,
    user_ids: Sequence[UUID] = (),
    name: str | None = None,
) -> None:
    """Notify the apps above of a change of a group, inside the transaction."""
    change = MembershipChanged(conversation, event, actor_id, at, user_ids=user_ids, name=name)
    membership_changed.send(sender=Conversation, change=change)
