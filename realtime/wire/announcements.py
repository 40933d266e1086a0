"""What a process announces after a commit: to its own hub directly, to the other processes over the channel layer.

The tags are older than the names of the structs. They stay: processes of two releases exchange announcements.
"""

from typing import Any

import msgspec


class EventAnnouncement(msgspec.Struct, tag="event", array_like=True):
    """An event of a conversation's log. `text` is the frame for every viewer; None: render it per viewer.

    `subject_sequence`, `joins` and `leaves` mean what they mean in `registry.LogEvent`.
    """

    conversation_id: str
    sequence: int
    text: str | None
    subject_sequence: int
    joins: dict[str, int] = {}
    leaves: list[str] = []


class EphemeralEvent(msgspec.Struct, tag="notice", array_like=True):
    """A frame that is no event of the log and has no sequence: receipts, typing, presence.

    Its audience is the members of `conversation_id`, or all devices of `user_ids`, or, with both, those of the
    users who are members. Excluded are `except_session`, `except_users`, and members whose history starts after
    `subject_sequence`. `row_id` is the id of the durable row behind it, if there is one: the hub delivers each row
    once, although the sweep finds it again.
    """

    text: str
    conversation_id: str | None = None
    user_ids: list[str] | None = None
    except_session: str | None = None
    droppable: bool = True
    row_id: int | None = None
    subject_sequence: int | None = None
    except_users: list[str] = []


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
