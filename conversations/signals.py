"""Signals to the apps above, sent inside the transaction of the change."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.dispatch import Signal

if TYPE_CHECKING:
    from conversations.models import Conversation

# Sent with `change=MembershipChanged`. The sender holds the row lock, so a receiver may append entries to the log.
membership_changed = Signal()


@dataclass(frozen=True, slots=True)
class MembershipChanged:
    """A change of a group that its history should show.

    `event` is one of group_created, participants_added, participant_removed, participant_left,
    conversation_renamed, role_changed.
    """

    conversation: "Conversation"
    event: str
    actor_id: UUID
    at: datetime.datetime
    user_ids: Sequence[UUID] = ()
    name: str | None = None
