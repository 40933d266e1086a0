"""Frames of the socket itself. The frames of a feature are in the `frames.py` of its app.

Every frame is a tagged struct: this one definition validates what comes in, encodes what goes out,
makes `docs/asyncapi.json` and feeds the fuzz test.
"""

from typing import Annotated, Any

import msgspec

from realtime.wire.bodies import Body, IdText, Request, Time

# Long enough for any client's counter or UUID, short enough to be echoed.
CommandId = Annotated[str, msgspec.Meta(max_length=128)]


class Command(Request, tag_field="type", kw_only=True):
    """A frame from a client. `id`, when given, comes back in the answer to it."""

    id: CommandId | None = None


class Frame(Body, tag_field="type", omit_defaults=True, kw_only=True):
    """A frame from the server."""


class Auth(Command, tag="auth", kw_only=True):
    """Sign in with a bearer token; the first frame when the upgrade carried no credential."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Ping(Command, tag="ping", kw_only=True):
    """Sign of life. `timestamp` is the client's own and comes back unchanged."""

    timestamp: float | Annotated[str, msgspec.Meta(max_length=64)] | None = None


class Connected(Frame, tag="connected", kw_only=True):
    """The socket is signed in; `epoch` is that of the log whose events come from now on."""

    session_id: IdText
    user_id: IdText
    server_time: Time
    heartbeat_interval: float
    protocol: int
    epoch: IdText
    id: str | None = None


class Heads(Body, kw_only=True):
    """The log heads of all conversations of a viewer in one number, to find a lost last event.

    `checksum` is the sum over the viewer's conversations of the CRC-32 (zlib's) of the UTF-8 text
    "<conversation id>:<last sequence>", modulo 2 to the 32nd.
    """

    count: int
    checksum: int


class Pong(Frame, tag="pong", kw_only=True):
    """Answer to `ping`."""

    server_time: Time
    heads: Heads
    timestamp: float | str | None = None
    id: str | None = None


class EventHidden(Frame, tag="event_hidden", kw_only=True):
    """An event that this viewer may not see, for instance the change of a message before their history start."""

    conversation_id: IdText
    sequence: int


class Reconnect(Frame, tag="reconnect", kw_only=True):
    """The server is going away: come back after `retry_after` seconds."""

    retry_after: float


class Error(Frame, tag="error", kw_only=True):
    """A frame was refused; the socket stays open unless a close code follows."""

    code: str
    message: str
    fields: dict[str, str] | None = None
    retry_after: float | None = None
    id: str | None = None
    client_message_id: str | None = None


def error_frame(body: dict[str, Any], *, id: str | None, client_message_id: str | None = None) -> Error:
    """Build the error frame for an error body."""
    return Error(**body, id=id, client_message_id=client_message_id)
