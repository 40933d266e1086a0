"""Arrays in PostgreSQL's binary format: PostgreSQL reads the values that went in, by cursor and by pipeline."""

import datetime
import json
import uuid
from typing import Any

import pytest
from django.db import connection

from realtime.database.arrays import array_of
from realtime.database.rows import Statement
from realtime.writes.batches import BatchDecision, BatchWrite
from realtime.writes.pipeline import Pipeline

pytestmark = pytest.mark.django_db(transaction=True)

VALUES: dict[str, list[Any]] = {
    "uuid": [uuid.uuid4(), uuid.UUID(int=0), None, uuid.UUID(int=2**128 - 1)],
    "bigint": [0, 1, -1, None, 2**63 - 1, -(2**63)],
    "integer": [0, -1, None, 2**31 - 1, -(2**31)],
    "boolean": [True, None, False],
    "text": ["", "NULL", 'a "quote", a \\ and {braces}', "ü😀", None, "x" * 70_000, "two\nlines"],
    "varchar(16)": ["text", None, "sixteen letters."],
    "jsonb": [{}, {"a": ['"', 1.5, None, {"ü": "\\"}]}, None, {"a": "x" * 70_000}],
    "timestamp with time zone": [
        datetime.datetime(2026, 11, 21, 12, 30, 15, 123456, tzinfo=datetime.UTC),
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.UTC),
        None,
        datetime.datetime(1, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.UTC),
    ],
}


@pytest.mark.parametrize("type", VALUES)
def test_a_cursor_sends_every_type_of_array(type: str) -> None:
    wanted = VALUES[type]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT unnest(%s::{type}[])", [array_of(type)(wanted)])
        found = [value for (value,) in cursor.fetchall()]
    # Django leaves decoding JSON to its model fields.
    assert [json.loads(value) if type == "jsonb" and value else value for value in found] == wanted


@pytest.mark.parametrize("type", VALUES)
async def test_the_pipeline_sends_every_type_of_array(type: str, pipeline: Pipeline) -> None:
    unnested = Statement(f"SELECT unnest(%s::{type}[])", [array_of(type)(VALUES[type])])
    write: BatchWrite[int, Any] = BatchWrite(
        lambda batch, wait: [unnested], lambda batch, found: BatchDecision([*found])
    )
    ((*rows,),) = (await pipeline.write(write, [1])).answers
    assert [value for (value,) in rows] == VALUES[type]


def test_an_empty_array_is_sent_as_empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM unnest(%s::uuid[])", [array_of("uuid")([])])
        assert cursor.fetchone() == (0,)


def test_an_unsupported_type_is_refused() -> None:
    with pytest.raises(KeyError):
        array_of("cidr")
