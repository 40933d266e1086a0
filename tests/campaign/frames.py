"""Frames as far as the campaign looks at them, and how they are decoded and encoded.

Cheap: a frame that many devices receive is decoded once.
"""

from typing import Any

import msgspec

# Codes after which a client repeats; every other refusal is final (docs/protocol.md, "Errors").
REPEATABLE = frozenset({"rate_limited", "try_again", "server_error"})
MOST_KNOWN = 20_000


class Body(msgspec.Struct, gc=False, frozen=True):
    """A message in a frame, as far as the campaign looks at it."""

    id: str
    sequence: int
    content: str
    sender_user_id: str | None = None
    client_message_id: str | None = None
    deleted_at: str | None = None


class Participant(msgspec.Struct, gc=False, frozen=True):
    """A participant in a frame."""

    user_id: str
    last_read_sequence: int = 0
    last_delivered_sequence: int = 0


class Frame(msgspec.Struct, gc=False, frozen=True):
    """A frame of the server. Devices that were sent the same bytes share one."""

    type: str
    conversation_id: str = ""
    sequence: int = 0
    message: Body | None = None
    participant: Participant | None = None
    user_id: str = ""
    reader_id: str = ""
    up_to_sequence: int = 0
    client_message_id: str | None = None
    message_id: str | None = None
    created_at: str = ""
    duplicate: bool = False
    code: str = ""
    id: str | None = None
    retry_after: float | None = None
    heads: dict[str, int] | None = None
    resync: list[str] | None = None
    heartbeat_interval: float = 0.0
    server_time: str = ""
    epoch: str = ""


class _Error(msgspec.Struct, frozen=True):
    """An `error`: its `message` is a sentence, not a message."""

    code: str
    id: str | None = None
    client_message_id: str | None = None
    retry_after: float | None = None


_decoder = msgspec.json.Decoder(Frame)
_error_decoder = msgspec.json.Decoder(_Error)
_encoder = msgspec.json.Encoder()
_known: dict[bytes, Frame] = {}


def decode(payload: bytes) -> Frame:
    """Decode a frame; equal bytes give the same object while they are remembered."""
    frame = _known.get(payload)
    if frame is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        if payload.startswith(b'{"type":"error"'):
            error = _error_decoder.decode(payload)
            frame = Frame(
                "error",
                code=error.code,
                id=error.id,
                client_message_id=error.client_message_id,
                retry_after=error.retry_after,
            )
        else:
            frame = _decoder.decode(payload)
        _known[payload] = frame
    return frame


def encode(command: dict[str, Any]) -> bytes:
    """Encode a command."""
    return _encoder.encode(command)
