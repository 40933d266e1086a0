"""How many statements the hot paths cost, pinned: growing with what they work on is how they would become slow.

Statements are counted on PostgreSQL, whose savepoints and time-outs are not among them.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from conversations import catch_up, epoch, selectors
from conversations.frames import ConversationListQuery, EventsQuery
from conversations.models import Conversation
from messaging import selectors as message_selectors
from messaging.frames import HistoryQuery
from messaging.models import ReceiptChange
from messaging.services.receipts import ReceiptUpdate, record_receipts
from messaging.services.send import send_messages
from realtime import registry
from tests.making import draft, group, naming, people, read, say

pytestmark = pytest.mark.django_db


class Statements(CaptureQueriesContext):
    """The statements of a block, without those that only mark a transaction."""

    @property
    def texts(self) -> list[str]:
        marks = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
        return [query["sql"] for query in self.captured_queries if not query["sql"].startswith(marks)]


@contextmanager
def statements(number: int) -> Iterator[None]:
    """Expect the block to make exactly so many statements."""
    with Statements(connection) as made:
        yield
    listed = "\n".join(text[:200] for text in made.texts)
    assert len(made.texts) == number, f"{len(made.texts)} statements, not {number}:\n{listed}"


@pytest.fixture(autouse=True)
def begun_epoch() -> None:
    """The first who asks for the epoch of a database begins it."""
    epoch.current()


@pytest.fixture
def ana() -> User:
    (ana,) = people("ana")
    return ana


@pytest.fixture
def ben() -> User:
    (ben,) = people("ben")
    return ben


@pytest.fixture
def trip(ana: User, ben: User) -> Conversation:
    return group(ana, ben, name="Trip")


# --- Sending ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 50])
def test_sending(ana: User, trip: Conversation, size: int) -> None:
    batch = [draft(trip, ana, f"number {number}") for number in range(size)]
    with statements(6):
        results = send_messages(batch)
    assert len({result.sequence for result in results}) == size


def test_sending_to_many_conversations(ana: User, ben: User) -> None:
    batch = [draft(group(ana, ben), ana) for _ in range(20)]
    with statements(6):
        send_messages(batch)


def test_quoting_costs_no_more(ana: User, trip: Conversation) -> None:
    quoted = [say(trip, ana, f"number {number}").message_id for number in range(20)]
    batch = [draft(trip, ana, "as I said", reply_to_id=message_id) for message_id in quoted]
    with statements(6):
        send_messages(batch)


@pytest.mark.parametrize("size", [1, 50])
def test_mentions_cost_three_more(ana: User, ben: User, trip: Conversation, size: int) -> None:
    """Whom they name, the mentions, the counts; however many messages mention however many people."""
    batch = [draft(trip, ana, "hello", mentions=naming(ben, ana)) for _ in range(size)]
    with statements(9):
        send_messages([*batch, draft(trip, ben)])


def test_a_repetition_only_reads(ana: User, trip: Conversation) -> None:
    batch = [draft(trip, ana) for _ in range(10)]
    send_messages(batch)
    with statements(2):
        assert all(result.duplicate for result in send_messages(batch))


# --- Reading ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 100])
def test_a_page_of_history(ana: User, ben: User, trip: Conversation, size: int) -> None:
    send_messages([draft(trip, ana) for _ in range(size)])
    with statements(3):  # the place, the messages, how far the others and I are
        page = message_selectors.history(ben.id, trip.id, HistoryQuery(limit=200))
    assert len(page.results) == size + 1  # and that the group was made


def test_history_around_a_message_looks_on_both_sides(ana: User, ben: User, trip: Conversation) -> None:
    send_messages([draft(trip, ana) for _ in range(60)])
    with statements(4):
        message_selectors.history(ben.id, trip.id, HistoryQuery(around=30))


@pytest.mark.parametrize("number", [1, 50])
def test_the_list_of_conversations(ana: User, ben: User, number: int) -> None:
    for _ in range(number):
        say(group(ana, ben), ana)
    with statements(4):  # my places, who is there, the messages on top, how far the others and I are
        page = selectors.conversation_page(ben.id, ConversationListQuery())
    assert len(page.results) == number
    assert all(each.unread_count == 1 and each.last_message is not None for each in page.results)


@pytest.mark.parametrize("size", [1, 100])
def test_a_page_of_events(ana: User, ben: User, trip: Conversation, size: int) -> None:
    send_messages([draft(trip, ana) for _ in range(size)])
    with statements(4):  # the place, the events, their messages, how far the others and I are
        page = catch_up.events_page(ben.id, trip.id, EventsQuery(after=2))
    assert len(page.events) == size


@pytest.mark.parametrize("number", [1, 100])
def test_a_sync(ana: User, ben: User, number: int) -> None:
    """However many conversations somebody missed something in."""
    behind = {}
    for _ in range(number):
        conversation = group(ana, ben)
        behind[conversation.id] = Conversation.objects.get(id=conversation.id).last_sequence
        say(conversation, ana)
        read(conversation, ben)
    since = timezone.now() - datetime.timedelta(hours=1)
    # my places, the events, their messages, how far the others and I are, receipts, my unread counts
    with statements(6):
        found = catch_up.missed(ben.id, behind, since)
    assert len(found.events) == number
    assert len(found.receipts) == 3 * number  # delivered, read, and my own reading


def test_a_sync_of_somebody_who_missed_nothing(ana: User, ben: User) -> None:
    cursors = {}
    for _ in range(20):
        conversation = group(ana, ben)
        cursors[conversation.id] = Conversation.objects.get(id=conversation.id).last_sequence
    with statements(2):  # the heads, the receipts
        found = catch_up.missed(ben.id, cursors, timezone.now())
    assert (found.events, found.receipts, found.resync) == ({}, [], [])


# --- Receipts -------------------------------------------------------------------------------


def marks(conversation: Conversation, readers: list[User]) -> list[ReceiptUpdate]:
    head = Conversation.objects.get(id=conversation.id).last_sequence
    return [
        ReceiptUpdate(user_id=reader.id, kind=ReceiptChange.Kind.READ, conversation_id=conversation.id, sequence=head)
        for reader in readers
    ]


@pytest.mark.parametrize("number", [1, 30])
def test_receipts(ana: User, number: int) -> None:
    """A batch costs the same, however many people read something."""
    readers = people(*(f"reader-{each}" for each in range(number)))
    trip = group(ana, *readers)
    say(trip, ana)
    batch = marks(trip, readers)
    with statements(5):  # lock the places, the conversation, the moves, the marks, what they cover
        assert record_receipts(batch) == [None] * number


def test_reading_a_part_counts_what_was_passed(ana: User, ben: User, trip: Conversation) -> None:
    """Two statements for each mark that stays below the newest message."""
    first = say(trip, ana)
    say(trip, ana)
    mark = ReceiptUpdate(user_id=ben.id, kind=ReceiptChange.Kind.READ, conversation_id=trip.id, sequence=first.sequence)
    with statements(7):
        assert record_receipts([mark]) == [None]


def test_reading_a_part_counts_mentions_only_where_some_are_unread(ana: User, ben: User, trip: Conversation) -> None:
    first = say(trip, ana, mentions=naming(ben))
    second = say(trip, ana)
    say(trip, ana)
    for sent, number in ((first, 8), (second, 7)):
        mark = ReceiptUpdate(
            user_id=ben.id, kind=ReceiptChange.Kind.READ, conversation_id=trip.id, sequence=sent.sequence
        )
        with statements(number):
            assert record_receipts([mark]) == [None]


def test_a_receipt_that_moves_nothing_writes_nothing(ana: User, ben: User, trip: Conversation) -> None:
    batch = marks(trip, [ben])
    record_receipts(batch)
    with statements(2):
        record_receipts(batch)


# --- A process with sockets -------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 40])
def test_a_socket_that_signs_in(ana: User, ben: User, number: int) -> None:
    for _ in range(number):
        group(ana, ben)
    with statements(1):
        mine, others = registry.log().attachments([str(ben.id), str(ana.id)])
    assert len(mine[1]) == len(others[1]) == number


@pytest.mark.parametrize("size", [1, 100])
def test_a_hub_that_reads_a_log(ana: User, ben: User, trip: Conversation, size: int) -> None:
    send_messages([draft(trip, ana) for _ in range(size)])
    with statements(2):  # the events, their messages
        events = registry.log().read(str(trip.id), after=2, viewers=[str(ben.id)])
    assert len(events) == size
