"""What a kind of event is, and the kinds of this app. Each app declares its own in a module of this name."""

from dataclasses import dataclass

NAME_LENGTH = 32


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of event in the log of a conversation.

    `name` is in the log and, on the wire, the `type` of its frame.
    `is_message`: a new message, by which the conversation counts and sorts.
    `per_viewer`: each member gets a frame of their own; the kind has a second renderer, for many members at once.
    `private`: only the person whom the event is about gets its frame, the others `event_hidden`.
    """

    name: str
    is_message: bool = False
    per_viewer: bool = False
    private: bool = False

    def __post_init__(self) -> None:
        if len(self.name) > NAME_LENGTH:
            raise ValueError(f"{self.name}: the log takes names of at most {NAME_LENGTH} characters")


CONVERSATION_CREATED = EventKind("conversation_created", per_viewer=True)
CONVERSATION_UPDATED = EventKind("conversation_updated", per_viewer=True)
PARTICIPANT_ADDED = EventKind("participant_added")
PARTICIPANT_REMOVED = EventKind("participant_removed")
PARTICIPANT_UPDATED = EventKind("participant_updated")
MY_PLACE_UPDATED = EventKind("my_place_updated", private=True)
