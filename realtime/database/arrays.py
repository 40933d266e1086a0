"""Arrays in PostgreSQL's binary format, which it reads in half the time of their text.

The formats are those of PostgreSQL's `*_recv` functions. They are part of its protocol, and psycopg receives results in
them, too. `rows` sends each column of many rows as one array.
"""

import datetime
import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from psycopg import pq
from psycopg.adapt import Dumper

from realtime.wire.bodies import encode

# Encodes a value, never None, as an element: its length in bytes, then its content.
Element = Callable[[Any], bytes]

_NULL = b"\xff\xff\xff\xff"
_SIXTEEN = (16).to_bytes(4)
# Dimensions, whether there are NULLs (PostgreSQL looks for itself), type of the elements, their number, first index.
_head = struct.Struct("!iiIii").pack
_integer = struct.Struct("!ii").pack
_bigint = struct.Struct("!iq").pack
_Y2K = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


class BinaryArray(bytes):
    """An array as a parameter; the statement names its type (`%s::uuid[]`)."""


class _AsItIs(Dumper):
    format = pq.Format.BINARY

    def dump(self, obj: BinaryArray) -> bytes:
        return obj


psycopg.adapters.register_dumper(BinaryArray, _AsItIs)


def _uuid(value: UUID) -> bytes:
    return _SIXTEEN + value.bytes


def _boolean(value: bool) -> bytes:
    return b"\x00\x00\x00\x01" + value.to_bytes(1)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(4) + encoded


def _json(value: Any) -> bytes:
    encoded = encode(value)
    # The first byte is the version of jsonb's format.
    return (len(encoded) + 1).to_bytes(4) + b"\x01" + encoded


@lru_cache(maxsize=64)
def _moment(value: datetime.datetime) -> bytes:
    # One batch has one time, in several columns of all its rows.
    return _bigint(8, (value - _Y2K) // _MICROSECOND)


# PostgreSQL's number of a type and the encoder of its elements, by the type's name in a column definition.
_TYPES: dict[str, tuple[int, Element]] = {
    "uuid": (2950, _uuid),
    "bigint": (20, lambda value: _bigint(8, value)),
    "integer": (23, lambda value: _integer(4, value)),
    "boolean": (16, _boolean),
    "text": (25, _text),
    "varchar": (1043, _text),
    "jsonb": (3802, _json),
    "timestamp with time zone": (1184, _moment),
}


def array_of(type: str) -> Callable[[Iterable[Any]], BinaryArray]:
    """Return the function that encodes values, None allowed, as an array for a column of a type (`varchar(16)`).

    :raises KeyError: no statement needed arrays of this type so far.
    """
    number, element = _TYPES[type.partition("(")[0]]

    def array(values: Iterable[Any]) -> BinaryArray:
        elements = [element(value) if value is not None else _NULL for value in values]
        return BinaryArray(_head(1, 0, number, len(elements), 1) + b"".join(elements))

    return array
