"""Delivery positions per device: in a receipt change if it moved the user's position, else in a write-behind buffer."""

import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.services import open_session
from accounts.tasks import purge_sessions
from conversations.models import Conversation
from messaging.models import DevicePosition, ReceiptChange
from messaging.selectors import acknowledgements
from messaging.services import device_positions
from messaging.services.device_positions import DeviceReceipt, write_device_positions
from messaging.services.receipts import ReceiptUpdate, record_receipts
from realtime.database.write_behind import WriteBehindBuffer
from tests.making import direct, group, people, say

pytestmark = pytest.mark.django_db
DELIVERED = ReceiptChange.Kind.DELIVERED
NOW = timezone.now()


def later(seconds: float) -> datetime.datetime:
    return NOW + datetime.timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def buffer(monkeypatch: pytest.MonkeyPatch) -> WriteBehindBuffer[Any, DeviceReceipt]:
    """A write-behind buffer of the test's own, which is written when the test says so."""
    buffer: WriteBehindBuffer[Any, DeviceReceipt] = WriteBehindBuffer(
        write_device_positions, merge=device_positions._further, most=100, seconds=0
    )
    monkeypatch.setattr(device_positions, "buffer", buffer)
    return buffer


@pytest.fixture
def ben() -> User:
    (ben,) = people("ben")
    return ben


@pytest.fixture
def talk(ben: User) -> Conversation:
    (ana,) = people("ana")
    talk = direct(ana, ben)
    for _ in range(5):
        say(talk, ana)
    return talk


@pytest.fixture
def phone(ben: User) -> UUID:
    return UUID(str(open_session(user=ben).session.pk))


@pytest.fixture
def laptop(ben: User) -> UUID:
    return UUID(str(open_session(user=ben).session.pk))


def acknowledges(talk: Conversation, ben: User, session: UUID, sequence: int, kind: str = DELIVERED) -> None:
    mark = ReceiptUpdate(ben.id, kind, conversation_id=talk.id, sequence=sequence, session_id=str(session))
    assert record_receipts([mark]) == [None]


def positions() -> dict[UUID, int]:
    return dict(DevicePosition.objects.values_list("session_id", "up_to_sequence"))


def test_the_first_device_is_recorded_in_the_receipt_change(talk: Conversation, ben: User, phone: UUID) -> None:
    acknowledges(talk, ben, phone, 3)
    (move,) = ReceiptChange.objects.filter(kind=DELIVERED)
    assert move.session_id == phone
    assert len(device_positions.buffer) == 0
    assert acknowledgements(talk.id, 2, [phone]) == {phone: (move.moved_at, True)}
    assert acknowledgements(talk.id, 4, [phone]) == {}


def test_a_second_device_is_buffered_and_written_in_one_statement(
    talk: Conversation, ben: User, phone: UUID, laptop: UUID
) -> None:
    acknowledges(talk, ben, phone, 5)
    with CaptureQueriesContext(connection) as made:
        for sequence in (1, 2, 4, 3):
            acknowledges(talk, ben, laptop, sequence)
    assert not [query for query in made if "deviceposition" in query["sql"].lower()]
    assert positions() == {}
    with CaptureQueriesContext(connection) as made:
        device_positions.buffer.write()
    assert len(made) == 1
    assert positions() == {laptop: 4}
    (mark,) = DevicePosition.objects.all()
    assert acknowledgements(talk.id, 4, [phone, laptop])[laptop] == (mark.marked_at, False)
    assert laptop not in acknowledgements(talk.id, 5, [phone, laptop])


def test_an_earlier_bound_from_a_later_receipt_change_is_used(
    talk: Conversation, ben: User, phone: UUID, laptop: UUID
) -> None:
    acknowledges(talk, ben, phone, 3)
    acknowledges(talk, ben, laptop, 5)
    move = ReceiptChange.objects.get(kind=DELIVERED, session_id=laptop)
    write_device_positions([DeviceReceipt(laptop, talk.id, 5, move.moved_at + datetime.timedelta(seconds=9))])
    found = acknowledgements(talk.id, 3, [phone, laptop])
    assert found[phone].exact
    assert found[laptop] == (move.moved_at, False)


def test_refused_receipts_are_not_buffered(talk: Conversation, ben: User, phone: UUID, laptop: UUID) -> None:
    acknowledges(talk, ben, phone, 5)
    beyond = ReceiptUpdate(ben.id, DELIVERED, conversation_id=talk.id, sequence=99, session_id=str(laptop))
    unknown = ReceiptUpdate(ben.id, DELIVERED, conversation_id=uuid4(), sequence=1, session_id=str(laptop))
    assert None not in record_receipts([beyond, unknown])
    assert len(device_positions.buffer) == 0


def test_device_positions_only_advance_and_keep_their_first_time(talk: Conversation, phone: UUID) -> None:
    for sequence, seconds in ((2, 0), (4, 1), (3, 2), (4, 3)):
        write_device_positions([DeviceReceipt(phone, talk.id, sequence, later(seconds))])
    (mark,) = DevicePosition.objects.all()
    assert (mark.up_to_sequence, mark.marked_at) == (4, later(1))


def test_thousands_of_positions_take_a_few_statements(talk: Conversation) -> None:
    many = [DeviceReceipt(uuid4(), talk.id, 1, NOW) for _ in range(2_500)]
    with CaptureQueriesContext(connection) as made:
        write_device_positions(many)
    assert len(made) == 3
    assert DevicePosition.objects.count() == 2_500
    DevicePosition.objects.all().delete()  # their sessions do not exist


def test_acknowledging_in_a_large_group_takes_no_more_statements() -> None:
    """A batch takes as many statements for one member as for thirty, with two devices each."""
    counts = []
    for number in (1, 30):
        ana, *members = people(f"ana-{number}", *(f"member-{number}-{each}" for each in range(number)))
        trip = group(ana, *members)
        head = say(trip, ana).sequence

        def batch() -> list[ReceiptUpdate]:
            return [
                ReceiptUpdate(each.id, DELIVERED, conversation_id=trip.id, sequence=head, session_id=str(uuid4()))  # noqa: B023
                for each in members  # noqa: B023
            ]

        with CaptureQueriesContext(connection) as first:
            record_receipts(batch())
        with CaptureQueriesContext(connection) as second:
            record_receipts(batch())
        counts.append((len(first), len(second)))
        assert len(device_positions.buffer) == number
        device_positions.buffer.write()
    assert counts[0] == counts[1]


def test_buffered_positions_survive_a_database_outage(
    talk: Conversation, ben: User, phone: UUID, laptop: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledges(talk, ben, phone, 5)
    acknowledges(talk, ben, laptop, 2)

    def away(statements: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(device_positions, "execute", away)
        with pytest.raises(OperationalError):
            device_positions.buffer.write()
    acknowledges(talk, ben, laptop, 3)
    device_positions.buffer.write()
    assert positions() == {laptop: 3}


def test_device_positions_are_purged_with_their_session(talk: Conversation, phone: UUID, ben: User) -> None:
    write_device_positions([DeviceReceipt(phone, talk.id, 1, NOW)])
    ben.device_sessions.update(revoked_at=timezone.now() - datetime.timedelta(days=31))
    purge_sessions()
    assert positions() == {}
