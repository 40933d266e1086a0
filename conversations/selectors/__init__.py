"""Queries about conversations, and the rules of who may see and do what in them."""

from conversations.selectors.bodies import (
    LISTED_PARTICIPANTS,
    conversation_bodies,
    conversation_body,
    own_participant_body,
    participant_body,
)
from conversations.selectors.events import (
    events_between,
)
from conversations.selectors.lists import (
    conversation_page,
    participant_page,
)
from conversations.selectors.participants import (
    VisibleLog,
    current_participants,
    heads_of,
    heads_of_each,
    history_start,
    participant_in,
    participant_of,
)
from conversations.selectors.peers import (
    members_among,
    peers_of,
    shares_conversation,
    sharing_conversation,
)
from conversations.selectors.permissions import may_write, permissions
from conversations.selectors.rendering import (
    render_events,
    render_for_members,
    render_own_settings,
)
from conversations.selectors.unread import mention_count, mentions_in_orm, unread_count, unread_in_orm, unread_in_sql

__all__ = [
    "LISTED_PARTICIPANTS",
    "VisibleLog",
    "conversation_bodies",
    "conversation_body",
    "conversation_page",
    "current_participants",
    "events_between",
    "heads_of",
    "heads_of_each",
    "history_start",
    "may_write",
    "members_among",
    "mention_count",
    "mentions_in_orm",
    "own_participant_body",
    "participant_body",
    "participant_in",
    "participant_of",
    "participant_page",
    "peers_of",
    "permissions",
    "render_events",
    "render_for_members",
    "render_own_settings",
    "shares_conversation",
    "sharing_conversation",
    "unread_count",
    "unread_in_orm",
    "unread_in_sql",
]
