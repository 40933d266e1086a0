"""What happens in a conversation, for the apps above, inside the transaction in which it happens."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.dispatch import Signal

if TYPE_CHECKING:
    from conversations.models import Conversation

# Sent with `change=MembershipChanged`; a receiver may append entries of its own, since the row lock is held.
membership_changed = Signal()


@dataclass(frozen=True, slots=True)
class MembershipChanged:
    """Something about a group that its members should be able to read in its history.

    `event` is one of group_created, participants_added, participant_removed, participant_left,
    conversation_renamed, role_changed.
    """

    conversation: "Conversation"
    event: str
    actor_id: UUID
    at: datetime.datetime
    user_ids: Sequence[UUID] = ()
    name: str | None = None
