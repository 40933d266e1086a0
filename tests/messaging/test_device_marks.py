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
from messaging.models import DeviceMark, ReceiptMove
from messaging.selectors import acknowledgements
from messaging.services import device_marks
from messaging.services.device_marks import Acknowledged, write_device_marks
from messaging.services.receipts import Mark, set_marks
from realtime.database.notes import Notes
from tests.making import direct, group, people, say

pytestmark = pytest.mark.django_db
DELIVERED = ReceiptMove.Kind.DELIVERED
NOW = timezone.now()


def later(seconds: float) -> datetime.datetime:
    return NOW + datetime.timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def buffer(monkeypatch: pytest.MonkeyPatch) -> Notes[Any, Acknowledged]:
    """A write-behind buffer of the test's own, which is written when the test says so."""
    buffer: Notes[Any, Acknowledged] = Notes(write_device_marks, merge=device_marks._further, most=100, seconds=0)
    monkeypatch.setattr(device_marks, "notes", buffer)
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
    mark = Mark(ben.id, kind, conversation_id=talk.id, sequence=sequence, session_id=str(session))
    assert set_marks([mark]) == [None]


def positions() -> dict[UUID, int]:
    return dict(DeviceMark.objects.values_list("session_id", "up_to_sequence"))


def test_the_first_device_is_recorded_in_the_receipt_change(talk: Conversation, ben: User, phone: UUID) -> None:
    acknowledges(talk, ben, phone, 3)
    (move,) = ReceiptMove.objects.filter(kind=DELIVERED)
    assert move.session_id == phone
    assert len(device_marks.notes) == 0
    assert acknowledgements(talk.id, 2, [phone]) == {phone: (move.moved_at, True)}
    assert acknowledgements(talk.id, 4, [phone]) == {}


def test_a_second_device_is_buffered_and_written_in_one_statement(
    talk: Conversation, ben: User, phone: UUID, laptop: UUID
) -> None:
    acknowledges(talk, ben, phone, 5)
    with CaptureQueriesContext(connection) as made:
        for sequence in (1, 2, 4, 3):
            acknowledges(talk, ben, laptop, sequence)
    assert not [query for query in made if "devicemark" in query["sql"].lower()]
    assert positions() == {}
    with CaptureQueriesContext(connection) as made:
        device_marks.notes.write()
    assert len(made) == 1
    assert positions() == {laptop: 4}
    (mark,) = DeviceMark.objects.all()
    assert acknowledgements(talk.id, 4, [phone, laptop])[laptop] == (mark.marked_at, False)
    assert laptop not in acknowledgements(talk.id, 5, [phone, laptop])


def test_an_earlier_bound_from_a_later_receipt_change_is_used(
    talk: Conversation, ben: User, phone: UUID, laptop: UUID
) -> None:
    acknowledges(talk, ben, phone, 3)
    acknowledges(talk, ben, laptop, 5)
    move = ReceiptMove.objects.get(kind=DELIVERED, session_id=laptop)
    write_device_marks([Acknowledged(laptop, talk.id, 5, move.moved_at + datetime.timedelta(seconds=9))])
    found = acknowledgements(talk.id, 3, [phone, laptop])
    assert found[phone].exact
    assert found[laptop] == (move.moved_at, False)


def test_refused_receipts_are_not_buffered(talk: Conversation, ben: User, phone: UUID, laptop: UUID) -> None:
    acknowledges(talk, ben, phone, 5)
    beyond = Mark(ben.id, DELIVERED, conversation_id=talk.id, sequence=99, session_id=str(laptop))
    unknown = Mark(ben.id, DELIVERED, conversation_id=uuid4(), sequence=1, session_id=str(laptop))
    assert None not in set_marks([beyond, unknown])
    assert len(device_marks.notes) == 0


def test_device_positions_only_advance_and_keep_their_first_time(talk: Conversation, phone: UUID) -> None:
    for sequence, seconds in ((2, 0), (4, 1), (3, 2), (4, 3)):
        write_device_marks([Acknowledged(phone, talk.id, sequence, later(seconds))])
    (mark,) = DeviceMark.objects.all()
    assert (mark.up_to_sequence, mark.marked_at) == (4, later(1))


def test_thousands_of_positions_take_a_few_statements(talk: Conversation) -> None:
    many = [Acknowledged(uuid4(), talk.id, 1, NOW) for _ in range(2_500)]
    with CaptureQueriesContext(connection) as made:
        write_device_marks(many)
    assert len(made) == 3
    assert DeviceMark.objects.count() == 2_500
    DeviceMark.objects.all().delete()  # their sessions do not exist


def test_acknowledging_in_a_large_group_takes_no_more_statements() -> None:
    """A batch takes as many statements for one member as for thirty, with two devices each."""
    counts = []
    for number in (1, 30):
        ana, *members = people(f"ana-{number}", *(f"member-{number}-{each}" for each in range(number)))
        trip = group(ana, *members)
        head = say(trip, ana).sequence

        def batch() -> list[Mark]:
            return [
                Mark(each.id, DELIVERED, conversation_id=trip.id, sequence=head, session_id=str(uuid4()))  # noqa: B023
                for each in members  # noqa: B023
            ]

        with CaptureQueriesContext(connection) as first:
            set_marks(batch())
        with CaptureQueriesContext(connection) as second:
            set_marks(batch())
        counts.append((len(first), len(second)))
        assert len(device_marks.notes) == number
        device_marks.notes.write()
    assert counts[0] == counts[1]


def test_buffered_positions_survive_a_database_outage(
    talk: Conversation, ben: User, phone: UUID, laptop: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledges(talk, ben, phone, 5)
    acknowledges(talk, ben, laptop, 2)

    def away(statements: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(device_marks, "execute", away)
        with pytest.raises(OperationalError):
            device_marks.notes.write()
    acknowledges(talk, ben, laptop, 3)
    device_marks.notes.write()
    assert positions() == {laptop: 3}


def test_device_positions_are_purged_with_their_session(talk: Conversation, phone: UUID, ben: User) -> None:
    write_device_marks([Acknowledged(phone, talk.id, 1, NOW)])
    ben.device_sessions.update(revoked_at=timezone.now() - datetime.timedelta(days=31))
    purge_sessions()
    assert positions() == {}
