"""What a process announces after a commit: to its own hub directly, to the other processes over the channel layer."""

from typing import Any, NewType

import msgspec

# The row behind an announcement, as "source:id": `receipt:17`. Text, so that each source has ids of its own.
RowKey = NewType("RowKey", str)


class Event(msgspec.Struct, tag="event", array_like=True):
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


class Notice(msgspec.Struct, tag="notice", array_like=True):
    """A frame without a sequence: receipts, typing, presence.

    It goes to the members of `conversation_id`, or to all devices of `user_ids`, or, with both, to
    those of the users who are members; never to `except_session` or `except_users`, nor to a member whose history
    starts after `subject_sequence`. `row_key` names the durable row behind it, so that what the sweep finds again
    is not sent twice.
    """

    text: str
    conversation_id: str | None = None
    user_ids: list[str] | None = None
    except_session: str | None = None
    droppable: bool = True
    # Was the key of the row as a number. It keeps its position, since processes of two releases exchange items.
    reserved: int | None = None
    subject_sequence: int | None = None
    except_users: list[str] = []
    row_key: RowKey | None = None


class Ended(msgspec.Struct, tag="ended", array_like=True):
    """Sockets of one of a user's sessions that must close with `code`; except one connection."""

    code: int
    user_id: str
    session_id: str
    except_connection: str | None = None


Item = Event | Notice | Ended

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Item])


def pack(items: list[Any]) -> bytes:
    """Encode items for the channel layer."""
    return _encoder.encode(items)


def unpack(data: bytes) -> list[Item]:
    """Decode what `pack` made."""
    return _decoder.decode(data)
