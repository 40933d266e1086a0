"""Set-based statements for the hot paths: many rows as parameters of one statement.

The text of a statement does not depend on the number of rows, so PostgreSQL plans it once. It takes each
column as an array (`arrays`), SQLite the rows as JSON. Use the ORM for everything that is not a hot path.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connection, models

from realtime.database.arrays import BinaryArray, array_of
from realtime.wire.bodies import encode

# A parameter for many values: an array for PostgreSQL, JSON for SQLite.
Parameter = BinaryArray | str

Model = TypeVar("Model", bound=models.Model)

_ids = array_of("uuid")
_numbers = array_of("integer")


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of a statement, with `%s` for each parameter, and the parameters."""

    text: str
    parameters: Sequence[Parameter] = ()


@cache
def on_postgresql() -> bool:
    """Return whether the database is PostgreSQL.

    Read from the settings: asking Django's connection would create a connection for each task of the event loop.
    """
    return "postgresql" in settings.DATABASES["default"]["ENGINE"]


@contextmanager
def pipelined() -> Iterator[None]:
    """Send the statements of this block without waiting for each other's results, where the database can.

    A result is waited for when it is fetched. Surround a transaction with it, so that its last writes and the
    commit travel together; the commit still returns only when it is done.
    """
    if not on_postgresql():
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def execute(statements: Iterable[Statement]) -> None:
    """Execute statements on Django's connection, one after the other."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.text, statement.parameters)


class Columns(Generic[Model]):
    """Columns of a model, to insert, update or look up many rows at once. Updates find rows by the first column.

    `numbered` rows have a further column n, which counts them from 1 on.
    """

    def __init__(self, model: type[Model], *names: str, numbered: bool = False) -> None:
        self._numbered = numbered
        self._model = model
        self._table = model._meta.db_table
        self._own_fields: list[Any] = [model._meta.get_field(name) for name in names]
        self._fields = [_stored(field) for field in self._own_fields]
        self._columns = [str(field.column) for field in self._own_fields]

    @classmethod
    def of_all(cls, model: type[Model]) -> "Columns[Model]":
        """Return all columns of a model, from which instances can be made."""
        return cls(model, *(field.attname for field in model._meta.concrete_fields))

    def instance(self, values: Sequence[Any]) -> Model:
        """Return an instance of the model from fetched values of all columns."""
        return self._model.from_db(connection.alias, [field.attname for field in self._own_fields], values)

    def insert(self, rows: Iterable[Sequence[Any]]) -> Statement:
        """Return the statement that inserts rows, given as values in the order of the columns."""
        return Statement(self._insert_text, self.parameters(rows))

    def update(self, rows: Iterable[Sequence[Any]]) -> Statement:
        """Return the statement that updates by key, given rows whose first value is the key."""
        return Statement(self._update_text, self.parameters(rows))

    def of(self, alias: str) -> str:
        """Return the columns for the list of a SELECT from the model's table, called `alias`."""
        return ", ".join(f"{alias}.{column}" for column in self._columns)

    def fetch(self, text: str, parameters: Sequence[Any]) -> list[Sequence[Any]]:
        """Execute a SELECT of these columns (`of`); return its rows, with the values that the model would have.

        For reads of thousands of rows: making model instances takes several times as long.
        """
        return self.converted(_fetched(text, parameters))

    def fetch_with(
        self, other: "Columns[Any]", text: str, parameters: Sequence[Any]
    ) -> Iterator[tuple[Sequence[Any], Sequence[Any]]]:
        """Execute a SELECT of these columns followed by another model's; return each row in two parts."""
        rows, width = _fetched(text, parameters), len(self._columns)
        theirs = other.converted([row[width:] for row in rows])
        return zip(self.converted([row[:width] for row in rows]), theirs, strict=True)

    def converted(self, rows: list[Sequence[Any]]) -> list[Sequence[Any]]:
        """Return rows of these columns from the driver with values as in the model."""
        for position, convert in self._conversions:
            rows = [(*row[:position], convert(row[position]), *row[position + 1 :]) for row in rows]
        return rows

    def parameters(self, rows: Iterable[Sequence[Any]]) -> list[Parameter]:
        """Return rows, at least one, as the parameters that `source` reads."""
        if on_postgresql():
            columns = list(zip(*rows, strict=True))
            arrays: list[Parameter] = [array(values) for array, values in zip(self._arrays, columns, strict=True)]
            if self._numbered:
                arrays.append(_numbers(range(1, len(columns[0]) + 1)))
            return arrays
        return [encode([dict(zip(self._columns, row, strict=True)) for row in rows]).decode()]

    @cached_property
    def _conversions(self) -> list[tuple[int, Callable[[Any], Any]]]:
        """Django's converters of columns whose values it does not take from the driver as they are."""
        return [
            (position, partial(step, expression=column, connection=connection))
            for position, column in enumerate(field.get_col(self._table) for field in self._own_fields)
            for step in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
        ]

    @cached_property
    def _types(self) -> list[str]:
        return [str(field.rel_db_type(connection)) for field in self._fields]

    @cached_property
    def _arrays(self) -> list[Callable[[Iterable[Any]], BinaryArray]]:
        return [array_of(type) for type in self._types]

    @cached_property
    def _insert_text(self) -> str:
        columns = ", ".join(self._columns)
        # Nothing in the text comes from outside: names of tables and columns only.
        return f"INSERT INTO {self._table} ({columns}) SELECT {columns} FROM {self.source}"  # noqa: S608

    @cached_property
    def _update_text(self) -> str:
        key, *others = self._columns
        assignments = ", ".join(f"{column} = r.{column}" for column in others)
        return f"UPDATE {self._table} SET {assignments} FROM {self.source} WHERE {self._table}.{key} = r.{key}"  # noqa: S608

    @cached_property
    def source(self) -> str:
        """The rows of the parameters as a table called r."""
        if on_postgresql():
            # unnest() in the SELECT list: in FROM, PostgreSQL would first copy each array to a store of its own. Each
            # array in a subquery: if PostgreSQL can count the elements, it plans anew for each number of them.
            columns = [
                f"unnest((SELECT %s::{type}[])) AS {column}"
                for type, column in zip(self._types, self._columns, strict=True)
            ]
            if self._numbered:
                columns.append("unnest((SELECT %s::int[])) AS n")
            return f"(SELECT {', '.join(columns)}) AS r"
        values = ", ".join(
            f"{_in_sqlite(field, column)} AS {column}"
            for field, column in zip(self._fields, self._columns, strict=True)
        )
        return f"(SELECT {values}, key + 1 AS n FROM json_each(%s)) AS r"  # noqa: S608


def _fetched(text: str, parameters: Sequence[Any]) -> list[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
        rows: list[Sequence[Any]] = cursor.fetchall()
    return rows


def matching(model: type[models.Model], alias: str, condition: str, *, many: bool = False) -> str:
    """Return the join of rows r with the one matching row of a model's table, called `alias`, or NULLs.

    With `many`, with all matching rows.

    PostgreSQL guesses the number of rows in an array and might read a whole table instead of looking up a few rows. A
    LATERAL join with LIMIT or OFFSET makes it use the index in any case.
    """
    table = model._meta.db_table
    if on_postgresql():
        found = f"SELECT * FROM {table} AS {alias} WHERE {condition} {'OFFSET 0' if many else 'LIMIT 1'}"  # noqa: S608
        return f"LEFT JOIN LATERAL ({found}) AS {alias} ON TRUE"
    return f"LEFT JOIN {table} AS {alias} ON {condition}"


def ids_in(column: str) -> str:
    """Return the condition that a UUID column is among the ids of a parameter (`ids`)."""
    if on_postgresql():
        return f"{column} = ANY(%s::uuid[])"
    return f"{column} IN (SELECT replace(value, '-', '') FROM json_each(%s))"  # noqa: S608


def ids(values: Iterable[UUID]) -> Parameter:
    """Return the parameter for `ids_in`."""
    if on_postgresql():
        return _ids(values)
    return encode(list(values)).decode()


def one_id(value: UUID) -> Any:
    """Return a UUID as the parameter for a comparison with one."""
    return value if on_postgresql() else value.hex


def one_moment(value: datetime.datetime) -> Any:
    """Return a time as the parameter for a comparison with one."""
    return connection.ops.adapt_datetimefield_value(value)


def as_uuid(value: Any) -> UUID:
    """Return a fetched UUID as a `UUID`; SQLite gives text."""
    return value if isinstance(value, UUID) else UUID(value)


def as_moment(value: datetime.datetime) -> datetime.datetime:
    """Return a fetched time with its zone; SQLite gives times in UTC without one."""
    return value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC)


def _stored(field: Any) -> Any:
    """Return the field that decides how a value is stored: for a foreign key, the field that it refers to."""
    return field.target_field if isinstance(field, models.ForeignKey) else field


def _in_sqlite(field: Any, column: str) -> str:
    """Return the SQL that converts a value in JSON to what Django stores in SQLite."""
    value = f"json_extract(value, '$.{column}')"
    if isinstance(field, models.UUIDField):
        return f"replace({value}, '-', '')"
    if isinstance(field, models.DateTimeField):
        return f"replace(replace({value}, 'T', ' '), 'Z', '')"
    return value
