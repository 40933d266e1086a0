"""Times as read by the PostgreSQL backend of this project."""

import datetime

import psycopg
import pytest
from django.db import DataError, connection

from chatsite.postgresql.base import TimeLoader


def read_time(text: str) -> datetime.datetime:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT timestamptz '{text}'")
        (moment,) = cursor.fetchone()
    assert isinstance(moment, datetime.datetime)
    return moment


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22 05:30:00+00", "2026-11-22T05:30:00"),
        ("2026-11-22 05:30:00.1+00", "2026-11-22T05:30:00.100000"),
        ("2026-11-22 05:30:00.000001+05:45", "2026-11-21T23:45:00.000001"),
        ("0001-01-01 00:00:00+00", "0001-01-01T00:00:00"),
        ("9999-12-31 23:59:59.999999+00", "9999-12-31T23:59:59.999999"),
    ],
)
def test_times_are_read_in_utc(text: str, moment: str) -> None:
    read = read_time(text)
    assert read.isoformat() == f"{moment}+00:00"
    assert read.tzinfo is datetime.UTC


@pytest.mark.django_db
def test_times_are_the_same_in_a_session_of_another_time_zone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Asia/Kathmandu'")
    assert read_time("2026-11-22 05:30:00+00") == datetime.datetime(2026, 11, 22, 5, 30, tzinfo=datetime.UTC)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["infinity", "0044-03-15 12:00:00+00 BC", "10000-01-01 00:00:00+00"])
def test_a_time_outside_pythons_calendar_is_a_data_error(text: str) -> None:
    with pytest.raises((psycopg.DataError, DataError)):
        read_time(text)


@pytest.mark.django_db
def test_connections_use_the_loader_for_times() -> None:
    connection.ensure_connection()
    oid = psycopg.adapters.types["timestamptz"].oid
    assert connection.connection.adapters.get_loader(oid, psycopg.pq.Format.TEXT) is TimeLoader
