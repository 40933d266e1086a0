"""Receipts: positions only advance, for members only; reading implies delivery; each change keeps its time."""

import datetime
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from conversations import services
from conversations.models import Conversation
from conversations.selectors import LISTED_PARTICIPANTS
from messaging import frames, selectors
from messaging.integrity import faults
from messaging.models import ReceiptChange
from messaging.recent_receipts import RecentReceipts
from messaging.services import receipts
from messaging.services.receipts import ReceiptUpdate, record_receipt, record_receipts
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.errors import DomainError, Invalid, NotFound
from tests.making import direct, group, participant, person, read, say, unread
from tests.realtime.peers import frame_of

pytestmark = pytest.mark.django_db
DELIVERED, READ = ReceiptChange.Kind.DELIVERED, ReceiptChange.Kind.READ


@pytest.fixture
def ana() -> User:
    return person("ana")


@pytest.fixture
def ben() -> User:
    return person("ben")


@pytest.fixture
def talk(ana: User, ben: User) -> Iterator[Conversation]:
    """Five messages of ana, sequences 2 to 6."""
    talk = direct(ana, ben)
    for _ in range(5):
        say(talk, ana)
    yield talk
    assert list(faults()) == []


def positions(conversation: Conversation, user: User) -> tuple[int, int]:
    found = participant(conversation, user)
    return found.last_delivered_sequence, found.last_read_sequence


def test_reading_implies_delivery_but_not_the_reverse(talk: Conversation, ben: User) -> None:
    read(talk, ben, 3, DELIVERED)
    assert positions(talk, ben) == (3, 0)
    assert unread(talk, ben) == 5
    read(talk, ben, 5)
    assert positions(talk, ben) == (5, 5)
    assert unread(talk, ben) == 1
    kinds = list(ReceiptChange.objects.order_by("id").values_list("kind", "from_sequence", "up_to_sequence"))
    assert kinds == [(DELIVERED, 0, 3), (DELIVERED, 3, 5), (READ, 0, 5)]


def test_positions_never_go_back_and_repeated_receipts_write_nothing(talk: Conversation, ben: User) -> None:
    read(talk, ben, 5)
    before = ReceiptChange.objects.count(), participant(talk, ben).last_read_at
    for sequence in (5, 4, 0):
        read(talk, ben, sequence)
        read(talk, ben, sequence, DELIVERED)
    assert positions(talk, ben) == (5, 5)
    assert (ReceiptChange.objects.count(), participant(talk, ben).last_read_at) == before


def test_a_receipt_beyond_the_head_is_refused(talk: Conversation, ben: User) -> None:
    with pytest.raises(Invalid, match="sequence"):
        read(talk, ben, 7)
    assert positions(talk, ben) == (0, 0)


def test_receipts_of_strangers_are_refused(talk: Conversation, ana: User, ben: User) -> None:
    cleo = person("cleo")
    message_id = selectors.history(ana.id, talk.id, frames.HistoryQuery()).results[0].id
    for mark in (
        ReceiptUpdate(cleo.id, READ, conversation_id=talk.id, sequence=3),
        ReceiptUpdate(cleo.id, READ, message_id=message_id),
        ReceiptUpdate(ben.id, READ, conversation_id=uuid.uuid4(), sequence=1),
        ReceiptUpdate(ben.id, READ, message_id=uuid.uuid4()),
    ):
        with pytest.raises(NotFound):
            record_receipt(mark)
    assert not ReceiptChange.objects.exists()


def test_receipts_for_messages_one_cannot_see_are_refused(ana: User, ben: User) -> None:
    team = group(ana, ben)
    sent = say(team, ana)
    services.leave(user_id=ben.id, conversation_id=team.id)
    for mark in (
        ReceiptUpdate(ben.id, READ, conversation_id=team.id, sequence=2),
        ReceiptUpdate(ben.id, READ, message_id=sent.message_id),
    ):
        with pytest.raises(NotFound):
            record_receipt(mark)
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    with pytest.raises(NotFound):
        record_receipt(ReceiptUpdate(ben.id, READ, message_id=sent.message_id))
    assert list(faults()) == []


def test_a_receipt_for_a_message_covers_all_before_it(talk: Conversation, ana: User, ben: User) -> None:
    third = selectors.history(ana.id, talk.id, frames.HistoryQuery(before=5)).results[0]
    record_receipt(ReceiptUpdate(ben.id, READ, message_id=third.id))
    assert positions(talk, ben) == (4, 4)
    assert unread(talk, ben) == 2


def test_each_receipt_of_a_batch_succeeds_or_fails_alone(talk: Conversation, ana: User, ben: User) -> None:
    cleo = person("cleo")
    results = record_receipts(
        [
            ReceiptUpdate(ben.id, DELIVERED, conversation_id=talk.id, sequence=3),
            ReceiptUpdate(cleo.id, READ, conversation_id=talk.id, sequence=3),
            ReceiptUpdate(ben.id, READ, conversation_id=talk.id, sequence=99),
            ReceiptUpdate(ben.id, READ, conversation_id=talk.id, sequence=4),
            ReceiptUpdate(ana.id, READ, conversation_id=talk.id, sequence=6),
        ]
    )
    assert [result.code if isinstance(result, DomainError) else None for result in results] == [
        None,
        "not_found",
        "invalid",
        None,
        None,
    ]
    assert (positions(talk, ben), positions(talk, ana)) == ((4, 4), (6, 6))


# --- Times of delivery and reading --------------------------------------------------------


def test_receipt_times_are_when_the_position_passed_the_message(ana: User, ben: User) -> None:
    cleo = person("cleo")
    team = group(ana, ben, cleo)
    one, two = say(team, ana), say(team, ana)
    read(team, ben, one.sequence, DELIVERED)
    read(team, ben, two.sequence)

    def times_of(sent: Any) -> dict[str, tuple[datetime.datetime | None, datetime.datetime | None]]:
        found = selectors.receipts_of(ana.id, sent.message_id)
        return {receipt.user_id: (receipt.delivered_at, receipt.read_at) for receipt in found}

    moved = {(move.kind, move.up_to_sequence): move.moved_at for move in ReceiptChange.objects.all()}
    assert times_of(one) == {
        ben.id: (moved[DELIVERED, one.sequence], moved[READ, two.sequence]),
        cleo.id: (None, None),
    }
    assert times_of(two)[ben.id] == (moved[DELIVERED, two.sequence], moved[READ, two.sequence])


def test_receipts_leave_out_users_who_cannot_see_the_message(ana: User, ben: User) -> None:
    cleo = person("cleo")
    team = group(ana, ben)
    sent = say(team, ana)
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[cleo.id])
    services.leave(user_id=ben.id, conversation_id=team.id)
    assert selectors.receipts_of(ana.id, sent.message_id) == []
    for user in (ben, cleo):
        with pytest.raises(NotFound):
            selectors.receipts_of(user.id, sent.message_id)


def test_the_status_is_the_least_position_of_all_others(ana: User, ben: User) -> None:
    cleo = person("cleo")
    team = group(ana, ben, cleo)
    sent = say(team, ana)

    def status(user: User) -> str:
        (body,) = selectors.history(user.id, team.id, frames.HistoryQuery(limit=1)).results
        return body.status

    seen = [status(ana)]
    for user, kind in ((ben, DELIVERED), (cleo, READ), (ben, READ)):
        read(team, user, sent.sequence, kind)
        seen.append(status(ana))
    assert seen == ["sent", "sent", "delivered", "read"]
    late = person("late")
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[late.id])
    assert status(ben) == "sent", "the newest message is the system message about the new member"


# --- Recipients of announcements ----------------------------------------------------------


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[EphemeralEvent]:
    """What receipts announce through the door."""
    announced: list[EphemeralEvent] = []
    monkeypatch.setattr(receipts, "announce", announced.extend)
    return announced


def test_a_receipt_notifies_all_members_and_own_devices_get_counts(
    talk: Conversation, ana: User, ben: User, announced: list[EphemeralEvent]
) -> None:
    newest = selectors.history(ana.id, talk.id, frames.HistoryQuery(before=5)).results[0]
    phone = str(uuid.uuid4())
    record_receipt(ReceiptUpdate(ben.id, READ, conversation_id=talk.id, sequence=4, session_id=phone))
    delivered, seen, own = announced
    assert [frame_of(event)["type"] for event in announced] == [
        "message_delivered",
        "message_read",
        "conversation_read",
    ]
    assert delivered.user_ids is None
    assert seen.conversation_id == str(talk.id)
    assert frame_of(seen) == {
        "type": "message_read",
        "conversation_id": str(talk.id),
        "up_to_sequence": 4,
        "message_id": str(newest.id),
        "reader_id": str(ben.id),
        "read_at": frame_of(seen)["read_at"],
    }
    assert (own.user_ids, own.except_session) == ([str(ben.id)], phone)
    assert (frame_of(own)["unread_count"], frame_of(own)["last_sequence"]) == (2, 6)
    assert len({event.row_key for event in announced}) == 3, "each announcement has a row id of its own"


def test_a_missed_announcement_is_found_again_and_a_received_one_not(
    talk: Conversation, ben: User, announced: list[EphemeralEvent]
) -> None:
    looks = RecentReceipts()
    read(talk, ben, 2)
    assert looks(lambda row: False) == [], "the first look only sets the starting point"
    announced.clear()
    read(talk, ben, 4)
    assert looks(lambda row: False) == announced
    assert looks({event.row_key for event in announced}.__contains__) == []


@pytest.mark.parametrize(("size", "to_all"), [(LISTED_PARTICIPANTS, True), (LISTED_PARTICIPANTS + 1, False)])
def test_in_a_large_group_receipts_notify_only_the_senders(
    size: int, to_all: bool, ana: User, ben: User, announced: list[EphemeralEvent]
) -> None:
    cleo = person("cleo")
    team = group(ana, ben, cleo)
    Conversation.objects.filter(id=team.id).update(participant_count=size)
    say(team, cleo)
    read(team, ben)
    say(team, ana)
    announced.clear()
    read(team, ben)
    for event in announced[:2]:
        assert event.user_ids == (None if to_all else [str(ana.id)])
    Conversation.objects.filter(id=team.id).update(participant_count=3)
