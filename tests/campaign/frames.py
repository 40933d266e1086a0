"""From bytes to frames and back, at little cost: what many devices are sent is decoded once."""

from typing import Any

import msgspec

from tests.campaign.evidence import Frame

MOST_KNOWN = 20_000


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
