"""From the text of a frame to a typed command, or to the error that explains why it is none."""

from contextlib import suppress
from functools import lru_cache
from typing import Any, Union
from uuid import UUID

import msgspec

from realtime.registry import registry
from realtime.wire import bodies
from realtime.wire.errors import DomainError


@lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[bodies.Request]:
    """Return the decoder of all declared commands. Call it only when every app is ready."""
    kinds = tuple(declaration.frame for declaration in registry.commands.values())
    union: Any = Union[kinds]  # noqa: UP007 - made at run time
    return bodies.decoder(union)


def decode_command(text: str) -> bodies.Request:
    """Decode one frame.

    :raises DomainError: malformed, unknown_type or invalid.
    """
    try:
        return _decoder().decode(text)
    except msgspec.ValidationError as error:
        why = str(error)
        if why.endswith("`$.type`") or why == "Object missing required field `type`":
            why = bodies.brief(why)
            raise DomainError("unknown_type", f"type: {why}", fields={"type": why}) from error
        raise bodies.invalid(error) from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise bodies.malformed(error, text) from error


def ids_of(text: str) -> dict[str, str | None]:
    """Return the `id` and `client_message_id` of a refused frame, for the answer; None for what cannot be read.

    The `client_message_id` is written as everywhere else: a UUID in lower case.
    """
    try:
        frame = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        frame = bodies.read_anyway(text)
    ids: dict[str, str | None] = {"id": None, "client_message_id": None}
    if isinstance(frame, dict):
        for name in ids:
            value = frame.get(name)
            if isinstance(value, str) and len(value) <= 128 and bodies.can_be_sent(value):
                ids[name] = value
    if ids["client_message_id"] is not None:
        with suppress(ValueError):
            ids["client_message_id"] = str(UUID(ids["client_message_id"]))
    return ids
