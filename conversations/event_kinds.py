"""What a kind of event is, and the kinds of this app. Each app declares its own in a module of this name."""

from dataclasses import dataclass

NAME_LENGTH = 32


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of event in the log of a conversation.

    `name`: its name in the log, and the `type` of its frame.
    `is_message`: the event adds a message; unread counts and the order of conversations depend on it.
    `per_viewer`: each member gets a different frame; a second renderer makes those of many members at once.
    `private`: only the person whom the event concerns gets its frame; the others get `event_hidden`.
    """

    name: str
    is_message: bool = False
    per_viewer: bool = False
    private: bool = False

    def __post_init__(self) -> None:
        if len(self.name) > NAME_LENGTH:
            raise ValueError(f"{self.name}: the name of an event kind has at most {NAME_LENGTH} characters")


CONVERSATION_CREATED = EventKind("conversation_created", per_viewer=True)
CONVERSATION_UPDATED = EventKind("conversation_updated", per_viewer=True)
PARTICIPANT_ADDED = EventKind("participant_added")
PARTICIPANT_REMOVED = EventKind("participant_removed")
PARTICIPANT_UPDATED = EventKind("participant_updated")
MY_PLACE_UPDATED = EventKind("my_place_updated", private=True)
