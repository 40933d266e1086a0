"""Base classes of all bodies and frames, and their decoding from JSON: the same for the socket and REST."""

import datetime
import json
import re
from threading import Lock
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec

from realtime.wire.errors import DomainError, Invalid


class Body(msgspec.Struct, kw_only=True):
    """An object that the server sends."""


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An object that a client sends: an unknown field is an error that names it."""


# A time in UTC and the id of a row. On the wire both are strings of a fixed format.
Time = Annotated[datetime.datetime, msgspec.Meta(tz=True)]
Id = UUID
# An id that is a string already: `realtime` only compares and forwards ids.
IdText = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})]

R = TypeVar("R")

# "Expected `str`, got `int` - at `$.content`", "Invalid UUID - at `key` in `$.cursors`"
_PATH = re.compile(r"^(?P<why>.*?)(?: - at (?:`key` in )?`(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
# The own check of a struct names the field first: "message_id: give either ..."
_OWN_CHECK = re.compile(r"^(?P<path>[a-z_]+): (?P<why>.*)$", re.DOTALL)
_NAMED = re.compile(r"field `(?P<name>[^`]*)`")
# Characters of the wrong value that an error may quote.
MOST_QUOTED = 200
encode = msgspec.json.Encoder().encode


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_making = Lock()


def decoder(kind: type[R]) -> msgspec.json.Decoder[R]:
    """Return the decoder of `kind`. Making it also prepares msgspec to convert to `kind`.

    Made in one thread at a time: msgspec 0.22 lets others use what it knows of a struct before it knows all its
    fields, and then reads a null pointer.
    """
    found = _decoders.get(kind)
    if found is None:
        with _making:
            found = _decoders[kind] = msgspec.json.Decoder(kind)
    return found


def decode(data: bytes | str, kind: type[R]) -> R:
    """Read JSON text as `kind`.

    :raises DomainError: `malformed` when it is no JSON object, `invalid` with the field's name otherwise.
    """
    try:
        return decoder(kind).decode(data)
    except msgspec.ValidationError as error:
        raise invalid(error) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise malformed(error, data) from error


def convert(value: Any, kind: type[R]) -> R:
    """Read a decoded value (query parameters as text, for instance) as `kind`.

    :raises DomainError: `invalid` with the field's name.
    """
    decoder(kind)
    try:
        return msgspec.convert(value, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error) from error


def given(request: Request) -> dict[str, Any]:
    """Return the fields that are set of a request whose fields may be absent."""
    return {name: value for name in request.__struct_fields__ if (value := getattr(request, name)) is not msgspec.UNSET}


def in_utc(name: str, moment: Any) -> Any:
    """Return a time of a request in UTC, as databases store it; return any other value unchanged.

    :raises ValueError: in UTC it is outside the calendar.
    """
    if not isinstance(moment, datetime.datetime):
        return moment
    try:
        return moment.astimezone(datetime.UTC)
    except OverflowError as error:
        raise ValueError(f"{name}: beyond the calendar") from error


def read_anyway(data: bytes | str) -> Any:
    """Return the value of a text that msgspec refused for half of a surrogate pair; None if it is no JSON either.

    Such a half, as of a cut emoji, is legal in JSON, but no UTF-8 can carry it.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def can_be_sent(value: Any) -> bool:
    """Return whether a value of `read_anyway` is free of halves of surrogate pairs."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def malformed(error: Exception, data: bytes | str) -> DomainError:
    """Error for a text that is no JSON, or `invalid` for one with half of a surrogate pair."""
    found = read_anyway(data)
    if isinstance(found, dict):
        halves = [name for name, value in found.items() if not can_be_sent([name, value])]
        if halves:
            field = brief(halves[0].encode(errors="replace").decode())
            return Invalid(**{field: "has half of a character: a surrogate without its other half, as of a cut emoji"})
    why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return DomainError("malformed", f"Not a JSON object: {why}.")


def invalid(error: msgspec.ValidationError) -> DomainError:
    """Error for JSON of the wrong shape, with the path of the field where msgspec names one."""
    match = _PATH.match(str(error))
    assert match is not None, "the pattern fits every text"
    why, path = match["why"], (match["path"] or "").lstrip(".")
    if named := _NAMED.search(why):
        path = f"{path}.{named['name']}" if path else named["name"]
    elif own := _OWN_CHECK.match(why):
        path, why = own["path"], own["why"]
    path, why = brief(path), brief(why)
    if not path:
        return DomainError("malformed", f"{why}.")
    return DomainError("invalid", f"{path}: {why}", fields={path: why})


def brief(text: str) -> str:
    """Return a text shortened for an error message."""
    return text if len(text) <= MOST_QUOTED else text[:MOST_QUOTED] + "…"
