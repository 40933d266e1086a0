"""What a process announces after a commit: to its own hub directly, to the other processes over the channel layer.

The tags are older than the names of the structs. They stay: processes of two releases exchange announcements.
"""

from typing import Any, NewType

import msgspec

# The row behind an announcement, as "source:id": `receipt:17`. Text, so that each source has ids of its own.
RowKey = NewType("RowKey", str)


class EventAnnouncement(msgspec.Struct, tag="event", array_like=True):
    """An event of a conversation's log, as it is announced, and as it is read from the log and rendered.

    `text` is the frame for all viewers except those in `texts`, which has frames by user. An announced event without
    `text` has to be rendered per viewer; a rendered one without `text` is for nobody but those in `texts`.

    `subject_sequence` is the sequence of the message that the event is about, else its own: viewers whose history
    starts later get the event hidden. `joins` maps the users who become members with this event to their history
    start; `leaves` has the users who cease to be members after it.
    """

    conversation_id: str
    sequence: int
    text: str | None
    subject_sequence: int
    joins: dict[str, int] = {}
    leaves: list[str] = []
    texts: dict[str, str] | None = None


class EphemeralEvent(msgspec.Struct, tag="notice", array_like=True):
    """A frame that is no event of the log and has no sequence: receipts, typing, presence.

    Its audience is the members of `conversation_id`, or all devices of `user_ids`, or, with both, those of the
    users who are members. Excluded are `except_session`, `except_users`, and members whose history starts after
    `subject_sequence`. `row_key` names the durable row behind it, if there is one: the hub delivers each row once,
    although the sweep finds it again.
    """

    text: str
    conversation_id: str | None = None
    user_ids: list[str] | None = None
    except_session: str | None = None
    droppable: bool = True
    # Was the id of the row as a number. It keeps its position for processes of the previous release.
    reserved: int | None = None
    subject_sequence: int | None = None
    except_users: list[str] = []
    row_key: RowKey | None = None


class CloseSockets(msgspec.Struct, tag="ended", array_like=True):
    """Close the sockets of one of a user's sessions with `code`, except those of `except_connection`."""

    code: int
    user_id: str
    session_id: str
    except_connection: str | None = None


Announcement = EventAnnouncement | EphemeralEvent | CloseSockets

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Announcement])


def pack(announcements: list[Any]) -> bytes:
    """Encode announcements for the channel layer."""
    return _encoder.encode(announcements)


def unpack(data: bytes) -> list[Announcement]:
    """Decode what `pack` made."""
    return _decoder.decode(data)
