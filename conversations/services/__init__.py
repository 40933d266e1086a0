"""Changes of conversations and participants. Each function is one transaction that holds the row lock."""

from conversations.services.conversations import (
    create_group,
    follow_block,
    start_direct,
    update_conversation,
)
from conversations.services.membership import (
    add_participants,
    leave,
    remove_participant,
    update_participant,
)
from conversations.services.own_settings import update_own_settings

__all__ = [
    "add_participants",
    "create_group",
    "follow_block",
    "leave",
    "remove_participant",
    "start_direct",
    "update_conversation",
    "update_own_settings",
    "update_participant",
]
