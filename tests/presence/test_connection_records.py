"""Records of a process's connections: written in bulk, kept while the database is away, purged."""

import datetime
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from presence import connection_records, services
from presence.connection_records import ConnectionRecords
from presence.models import Connection, ServerProcess
from presence.tasks import purge
from realtime.database import clock
from realtime.database.threads import in_database_thread
from realtime.fanout.hub import hub
from tests.realtime.peers import Peer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]


@pytest.fixture(autouse=True)
def write_at_every_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tick writes, so that a test decides when records are written."""
    monkeypatch.setattr(connection_records, "WRITE_SECONDS", 0)


@pytest.fixture
def records() -> ConnectionRecords:
    return ConnectionRecords()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The INSERT and UPDATE statements made for records, in any thread."""
    made: list[str] = []
    record, renew = services.record_connections, services.renew_process

    def capturing(work: Callable[[Any], None]) -> Callable[[Any], None]:
        def captured(argument: Any) -> None:
            with CaptureQueriesContext(connection) as queries:
                work(argument)
            made.extend(query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE")))

        return captured

    monkeypatch.setattr(services, "record_connections", capturing(record))
    monkeypatch.setattr(services, "renew_process", capturing(renew))
    return made


def a_peer() -> Peer:
    peer = Peer(str(uuid4()), str(uuid4()))
    peer.socket.connection_id = uuid4().hex
    return peer


async def row_of(peer: Peer) -> Connection:
    return await in_database_thread(Connection.objects.get, id=UUID(peer.socket.connection_id))


def mark_hub_up_to_date() -> float:
    hub.followed_at = time.monotonic()
    return hub.followed_at


async def test_a_connection_is_recorded_at_its_start_and_end(records: ConnectionRecords) -> None:
    peer = a_peer()
    records.opened(peer.socket)
    await records.tick()
    row = await row_of(peer)
    assert (str(row.user_id), str(row.session_id)) == (peer.socket.user_id, peer.socket.session_id)
    assert (row.closed_at, row.close_code, row.written_until) == (None, None, None)
    mark_hub_up_to_date()
    peer.socket.close(4409)
    peer.socket.forget()
    records.closed(peer.socket)
    await records.flush()
    ended = await row_of(peer)
    assert ended.opened_at == row.opened_at
    assert ended.close_code == 4409
    assert ended.closed_at is not None
    assert ended.written_until is not None
    assert abs(ended.closed_at - ended.written_until) < datetime.timedelta(seconds=1)


async def test_a_connection_that_never_signed_in_is_not_recorded(records: ConnectionRecords) -> None:
    records.closed(a_peer().socket)
    await records.tick()
    assert await in_database_thread(Connection.objects.count) == 0


async def test_written_until_ends_where_the_hub_last_caught_up(records: ConnectionRecords) -> None:
    peer = a_peer()
    records.opened(peer.socket)
    hub.followed_at = time.monotonic() - 60
    peer.socket.forget()
    records.closed(peer.socket)
    mark_hub_up_to_date()
    await records.tick()
    ended = await row_of(peer)
    assert ended.closed_at is not None
    assert ended.written_until is not None
    assert ended.closed_at - ended.written_until > datetime.timedelta(seconds=59)


async def test_a_stuck_socket_and_its_recovery_are_recorded(records: ConnectionRecords) -> None:
    peer = a_peer()
    records.opened(peer.socket)
    peer.stops_reading()
    peer.deliver("waits")
    await records.tick()
    assert (await row_of(peer)).written_until is None, "it has not waited long enough yet"
    assert peer.socket.outbox.backlog is not None
    peer.socket.outbox.backlog.since = waits_since = time.monotonic() - 2
    mark_hub_up_to_date()
    await records.tick()
    written_until = (await row_of(peer)).written_until
    assert written_until is not None
    assert abs((clock.now() - written_until).total_seconds() - (time.monotonic() - waits_since)) < 0.5
    peer.reads_again()
    await peer.reads(1)
    await records.tick()
    assert (await row_of(peer)).written_until is None


async def test_thousands_of_connections_take_a_few_statements(statements: list[str]) -> None:
    records = ConnectionRecords()
    for peer in (peers := [a_peer() for _ in range(2_500)]):
        records.opened(peer.socket)
    assert statements == []
    await records.tick()
    assert len(statements) == 3 + 1, "one for each thousand rows, and one for the process"
    for peer in peers:
        peer.socket.forget()
        records.closed(peer.socket)
    await records.tick()
    assert len(statements) == 3 + 1 + 3
    assert await in_database_thread(Connection.objects.exclude(closed_at=None).count) == 2_500


async def test_delivering_messages_writes_no_records(statements: list[str]) -> None:
    records = ConnectionRecords()
    for peer in (peers := [a_peer() for _ in range(50)]):
        records.opened(peer.socket)
    await records.tick()
    statements.clear()
    for _ in range(20):
        for peer in peers:
            peer.deliver("a message")
        await records.tick()
    assert statements == []


async def test_records_wait_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    peer, gone = a_peer(), True

    def away(connections: list[Connection]) -> None:
        if gone:
            raise OperationalError("away")
        write(connections)

    write = services.record_connections
    monkeypatch.setattr(services, "record_connections", away)
    records = ConnectionRecords()
    records.opened(peer.socket)
    await records.tick()
    peer.socket.forget()
    records.closed(peer.socket)
    await records.tick()
    assert await in_database_thread(ServerProcess.objects.count) == 0, "the process row waits for the unwritten records"
    gone = False
    await records.tick()
    assert (await row_of(peer)).closed_at is not None
    assert await in_database_thread(ServerProcess.objects.count) == 1


async def test_after_lost_records_the_process_starts_a_new_row() -> None:
    records = ConnectionRecords(most=2)
    staying, lost, *others = (a_peer() for _ in range(5))
    for peer in (staying, lost):
        records.opened(peer.socket)
    await records.tick()
    (old,) = await in_database_thread(lambda: list(ServerProcess.objects.all()))
    for peer in (lost, *others):
        records.opened(peer.socket)
        peer.socket.forget()
        records.closed(peer.socket)
    mark_hub_up_to_date()
    await records.tick()
    await records.tick()
    assert (await row_of(lost)).closed_at is None
    for kept in others[-2:]:
        assert (await row_of(kept)).closed_at is not None
    assert (await row_of(lost)).process_id == old.id
    (new,) = await in_database_thread(lambda: list(ServerProcess.objects.exclude(id=old.id)))
    assert (await row_of(staying)).process_id == new.id
    seen_at = await in_database_thread(lambda: ServerProcess.objects.get(id=old.id).seen_at)
    assert seen_at == old.seen_at


# --- Purge ----------------------------------------------------------------------------------


def test_old_records_are_purged_and_open_connections_kept(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PURGED_AT_ONCE", 2)
    now = clock.now()

    def days_ago(days: int) -> datetime.datetime:
        return now - datetime.timedelta(days=days)

    def process(seen: int) -> UUID:
        made = ServerProcess.objects.create(name="p", started_at=days_ago(90), seen_at=days_ago(seen))
        return made.pk

    def row(opened: int, closed: int | None, process_id: UUID) -> UUID:
        closed_at = None if closed is None else days_ago(closed)
        made = Connection.objects.create(
            id=uuid4(), process_id=process_id, user_id=uuid4(), session_id=uuid4(),
            opened_at=days_ago(opened), closed_at=closed_at,
        )  # fmt: skip
        return made.pk

    living, dead = process(seen=0), process(seen=40)
    kept = {row(60, 1, living), row(60, None, living), row(2, 1, dead)}
    for gone in ((60, 31, living), (60, 50, dead), (60, None, dead), (45, None, uuid4()), (33, 32, living)):
        row(*gone)
    settings.DELIVERY_RECORD_DAYS = 30
    purge()
    assert set(Connection.objects.values_list("id", flat=True)) == kept
    assert [each.pk for each in ServerProcess.objects.all()] == [living]
