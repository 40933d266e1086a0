"""What connection records tell about a moment, and what they leave unknown."""

import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from presence.models import Connection, ServerProcess
from presence.selectors import SocketReach, Written, reach_at

pytestmark = pytest.mark.django_db

MOMENT = timezone.now()
BEN, PHONE = uuid4(), uuid4()


def at(seconds: float | None) -> datetime.datetime | None:
    return None if seconds is None else MOMENT + datetime.timedelta(seconds=seconds)


def connection(
    opened: float,
    closed: float | None = None,
    *,
    written: float | None = None,
    seen: float = 100,
    code: int | None = None,
    session: UUID = PHONE,
) -> None:
    """Record a connection of Ben's phone. Times are seconds relative to `MOMENT`."""
    process = ServerProcess.objects.create(name="p", started_at=at(-1000), seen_at=at(seen))
    Connection.objects.create(
        id=uuid4(),
        process_id=process.pk,
        user_id=BEN,
        session_id=session,
        opened_at=at(opened),
        closed_at=at(closed),
        close_code=code,
        written_until=at(written),
    )


def reached(session: UUID = PHONE) -> SocketReach | None:
    return reach_at(MOMENT, [BEN]).get(session)


WRITTEN = SocketReach(Written.WRITTEN, MOMENT)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"opened": -10}, WRITTEN),
        ({"opened": -10, "closed": 20, "written": 19}, WRITTEN),
        ({"opened": -10, "written": 19}, WRITTEN),
        # A message gets its time before it is committed, and is delivered after that.
        ({"opened": -10, "closed": 2, "written": 0.5, "code": 1006}, SocketReach(Written.ENDED, at(2), 1006)),
        ({"opened": -10, "closed": 30, "written": -5, "code": 4410}, SocketReach(Written.ENDED, at(30), 4410)),
        ({"opened": -10, "written": -5}, SocketReach(Written.WAITED, at(-5))),
        ({"opened": -10, "seen": -3}, SocketReach(Written.UNHEARD, at(-3))),
        ({"opened": -10, "seen": 0.5}, SocketReach(Written.UNHEARD, at(0.5))),
        ({"opened": 5}, SocketReach(Written.NO_CONNECTION, connected_later_at=at(5))),
        ({"opened": -20, "closed": -10, "written": -10}, None),
    ],
)
def test_a_connection_gives_its_reach(known: dict[str, Any], expected: SocketReach | None) -> None:
    connection(**known)
    assert reached() == expected


def test_the_best_overlapping_connection_counts_and_the_next_is_named() -> None:
    connection(-30, 1, written=0.5, code=4409)
    connection(-2)
    connection(60)
    connection(50)
    assert reached() == SocketReach(Written.WRITTEN, MOMENT, connected_later_at=at(50))


def test_without_its_process_row_a_connection_counts_as_unheard() -> None:
    connection(-10)
    ServerProcess.objects.all().delete()
    assert reached() == SocketReach(Written.UNHEARD, at(-10))


def test_devices_and_users_are_told_apart() -> None:
    connection(-10)
    tablet = uuid4()
    connection(5, session=tablet)
    assert reached() == WRITTEN
    assert reached(tablet) == SocketReach(Written.NO_CONNECTION, connected_later_at=at(5))
    assert reach_at(MOMENT, [uuid4()]) == {}
