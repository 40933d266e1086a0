"""Steps that several services take inside their transactions."""

import datetime
from collections.abc import Sequence
from uuid import UUID

from accounts.models import User
from accounts.selectors import active_users, kept_apart
from conversations.models import Conversation, Participant
from conversations.selectors import permissions, place_of
from conversations.signals import MembershipChanged, membership_changed
from realtime.wire.errors import Forbidden, Invalid

Role = Participant.Role


def locked_place(user_id: UUID, conversation_id: UUID) -> Participant:
    """Lock the conversation, then return the member's place, and the conversation, as they are under the lock.

    :raises NotFound: as `place_of`.
    """
    Conversation.objects.select_for_update(no_key=True).filter(id=conversation_id).first()
    return place_of(user_id, conversation_id)


def require(place: Participant, permission: str) -> None:
    """Check that the holder of a place may do something.

    :raises Forbidden: they may not.
    """
    if permission not in permissions(place):
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
    if kept_apart([user_id])[user_id].intersection(other_ids):
        raise Forbidden("You cannot add one of these people.")


def take_place(place: Participant, role: str, at: datetime.datetime, *, history_from: int) -> None:
    """Make a place current: nothing before it counts as unread, delivered or read late."""
    conversation = place.conversation
    place.role = role
    place.can_send_messages = True
    place.joined_at = at
    place.left_at = None
    place.muted_until, place.notification_level = None, Participant.Level.ALL
    place.pinned = place.archived = False
    place.history_from = history_from
    place.last_read_sequence = place.last_delivered_sequence = history_from - 1
    place.read_message_count = conversation.message_count
    place.read_sent_count = place.sent_count
    place.read_mentioned_count = place.mentioned_count


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
