"""The number of SQL statements on the hot paths is pinned: it must not grow with the amount of work.

Statements are counted on PostgreSQL, without savepoints and time-outs.
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
from realtime.registry import registry
from tests.making import draft, group, naming, people, read, say

pytestmark = pytest.mark.django_db


class Statements(CaptureQueriesContext):
    """The statements of a block, without those that begin or end transactions and savepoints."""

    @property
    def texts(self) -> list[str]:
        boundaries = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
        return [query["sql"] for query in self.captured_queries if not query["sql"].startswith(boundaries)]


@contextmanager
def statements(number: int) -> Iterator[None]:
    """Assert that the block executes exactly this number of statements."""
    with Statements(connection) as made:
        yield
    listed = "\n".join(text[:200] for text in made.texts)
    assert len(made.texts) == number, f"{len(made.texts)} statements, not {number}:\n{listed}"


@pytest.fixture(autouse=True)
def begun_epoch() -> None:
    """Begin the epoch: the first call does so, with statements of its own."""
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
def test_sending_takes_a_fixed_number_of_statements(ana: User, trip: Conversation, size: int) -> None:
    batch = [draft(trip, ana, f"number {number}") for number in range(size)]
    with statements(6):
        results = send_messages(batch)
    assert len({result.sequence for result in results}) == size


def test_sending_to_many_conversations_takes_no_more_statements(ana: User, ben: User) -> None:
    batch = [draft(group(ana, ben), ana) for _ in range(20)]
    with statements(6):
        send_messages(batch)


def test_replies_take_no_more_statements(ana: User, trip: Conversation) -> None:
    quoted = [say(trip, ana, f"number {number}").message_id for number in range(20)]
    batch = [draft(trip, ana, "as I said", reply_to_id=message_id) for message_id in quoted]
    with statements(6):
        send_messages(batch)


@pytest.mark.parametrize("size", [1, 50])
def test_mentions_take_three_more_statements(ana: User, ben: User, trip: Conversation, size: int) -> None:
    """For any number of messages and people: the mentioned participants, the mentions, the counts."""
    batch = [draft(trip, ana, "hello", mentions=naming(ben, ana)) for _ in range(size)]
    with statements(9):
        send_messages([*batch, draft(trip, ben)])


def test_a_repeated_send_only_reads(ana: User, trip: Conversation) -> None:
    batch = [draft(trip, ana) for _ in range(10)]
    send_messages(batch)
    with statements(2):
        assert all(result.duplicate for result in send_messages(batch))


# --- Reading ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 100])
def test_a_page_of_history_takes_a_fixed_number_of_statements(
    ana: User, ben: User, trip: Conversation, size: int
) -> None:
    send_messages([draft(trip, ana) for _ in range(size)])
    with statements(3):  # the participant, the messages, the positions of all participants
        page = message_selectors.history(ben.id, trip.id, HistoryQuery(limit=200))
    assert len(page.results) == size + 1  # one more: the system message of the new group


def test_history_around_a_message_takes_one_more_statement(ana: User, ben: User, trip: Conversation) -> None:
    send_messages([draft(trip, ana) for _ in range(60)])
    with statements(4):
        message_selectors.history(ben.id, trip.id, HistoryQuery(around=30))


@pytest.mark.parametrize("number", [1, 50])
def test_the_conversation_list_takes_a_fixed_number_of_statements(ana: User, ben: User, number: int) -> None:
    for _ in range(number):
        say(group(ana, ben), ana)
    with statements(4):  # own participants, listed participants, last messages, positions of all participants
        page = selectors.conversation_page(ben.id, ConversationListQuery())
    assert len(page.results) == number
    assert all(each.unread_count == 1 and each.last_message is not None for each in page.results)


@pytest.mark.parametrize("size", [1, 100])
def test_a_page_of_events_takes_a_fixed_number_of_statements(
    ana: User, ben: User, trip: Conversation, size: int
) -> None:
    send_messages([draft(trip, ana) for _ in range(size)])
    with statements(4):  # the participant, the events, their messages, the positions of all participants
        page = catch_up.events_page(ben.id, trip.id, EventsQuery(after=2))
    assert len(page.events) == size


@pytest.mark.parametrize("number", [1, 100])
def test_a_sync_takes_a_fixed_number_of_statements(ana: User, ben: User, number: int) -> None:
    """For any number of conversations with missed events."""
    behind = {}
    for _ in range(number):
        conversation = group(ana, ben)
        behind[conversation.id] = Conversation.objects.get(id=conversation.id).last_sequence
        say(conversation, ana)
        read(conversation, ben)
    since = timezone.now() - datetime.timedelta(hours=1)
    # own participants, events, their messages, positions of all participants, receipts, own unread counts
    with statements(6):
        found = catch_up.missed(ben.id, behind, since)
    assert len(found.events) == number
    assert len(found.receipts) == 3 * number  # delivered, read, and the read position of ben


def test_a_sync_without_missed_events_takes_two_statements(ana: User, ben: User) -> None:
    cursors = {}
    for _ in range(20):
        conversation = group(ana, ben)
        cursors[conversation.id] = Conversation.objects.get(id=conversation.id).last_sequence
    with statements(2):  # the heads, the receipts
        found = catch_up.missed(ben.id, cursors, timezone.now())
    assert (found.events, found.receipts, found.resync) == ({}, [], [])


# --- Receipts -------------------------------------------------------------------------------


def read_receipts(conversation: Conversation, readers: list[User]) -> list[ReceiptUpdate]:
    head = Conversation.objects.get(id=conversation.id).last_sequence
    return [
        ReceiptUpdate(user_id=reader.id, kind=ReceiptChange.Kind.READ, conversation_id=conversation.id, sequence=head)
        for reader in readers
    ]


@pytest.mark.parametrize("number", [1, 30])
def test_a_batch_of_receipts_takes_a_fixed_number_of_statements(ana: User, number: int) -> None:
    """For any number of readers in a batch."""
    readers = people(*(f"reader-{each}" for each in range(number)))
    trip = group(ana, *readers)
    say(trip, ana)
    batch = read_receipts(trip, readers)
    # lock the participants, the conversation, the receipt changes, the positions, the messages they cover
    with statements(5):
        assert record_receipts(batch) == [None] * number


def test_a_partial_read_takes_two_more_statements(ana: User, ben: User, trip: Conversation) -> None:
    """Two more statements for each read position below the newest message."""
    first = say(trip, ana)
    say(trip, ana)
    receipt = ReceiptUpdate(
        user_id=ben.id, kind=ReceiptChange.Kind.READ, conversation_id=trip.id, sequence=first.sequence
    )
    with statements(7):
        assert record_receipts([receipt]) == [None]


def test_a_partial_read_counts_mentions_only_if_some_are_unread(ana: User, ben: User, trip: Conversation) -> None:
    first = say(trip, ana, mentions=naming(ben))
    second = say(trip, ana)
    say(trip, ana)
    for sent, number in ((first, 8), (second, 7)):
        receipt = ReceiptUpdate(
            user_id=ben.id, kind=ReceiptChange.Kind.READ, conversation_id=trip.id, sequence=sent.sequence
        )
        with statements(number):
            assert record_receipts([receipt]) == [None]


def test_a_receipt_without_change_writes_nothing(ana: User, ben: User, trip: Conversation) -> None:
    batch = read_receipts(trip, [ben])
    record_receipts(batch)
    with statements(2):
        record_receipts(batch)


# --- A process with sockets -------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 40])
def test_attaching_takes_one_statement(ana: User, ben: User, number: int) -> None:
    for _ in range(number):
        group(ana, ben)
    with statements(1):
        mine, others = registry.log.attachments([str(ben.id), str(ana.id)])
    assert len(mine[1]) == len(others[1]) == number


@pytest.mark.parametrize("size", [1, 100])
def test_a_hub_reads_a_log_in_two_statements(ana: User, ben: User, trip: Conversation, size: int) -> None:
    send_messages([draft(trip, ana) for _ in range(size)])
    with statements(2):  # the events, their messages
        events = registry.log.read(str(trip.id), after=2, viewers=[str(ben.id)])
    assert len(events) == size
