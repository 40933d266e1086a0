"""What is read of conversations, and the rules of who may see and do what in them."""

from conversations.selectors.bodies import (
    LISTED_PARTICIPANTS,
    conversation_bodies,
    conversation_body,
    my_place,
    participant_body,
)
from conversations.selectors.events import (
    events_between,
)
from conversations.selectors.lists import (
    conversation_page,
    participant_page,
)
from conversations.selectors.peers import (
    members_among,
    peers_of,
    shares_conversation,
)
from conversations.selectors.places import (
    Held,
    heads_of,
    heads_of_each,
    history_start,
    mention_count,
    permissions,
    place_in,
    place_of,
    places_now,
    unread_count,
)
from conversations.selectors.rendering import (
    render_events,
    render_for_members,
    render_own_settings,
)

__all__ = [
    "LISTED_PARTICIPANTS",
    "Held",
    "conversation_bodies",
    "conversation_body",
    "conversation_page",
    "events_between",
    "heads_of",
    "heads_of_each",
    "history_start",
    "members_among",
    "mention_count",
    "my_place",
    "participant_body",
    "participant_page",
    "peers_of",
    "permissions",
    "place_in",
    "place_of",
    "places_now",
    "render_events",
    "render_for_members",
    "render_own_settings",
    "shares_conversation",
    "unread_count",
]
