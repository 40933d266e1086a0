"""The kinds of event of this app."""

from conversations.event_kinds import EventKind

NEW_MESSAGE = EventKind("new_message", is_message=True)
MESSAGE_UPDATED = EventKind("message_updated")
MESSAGE_DELETED = EventKind("message_deleted")
