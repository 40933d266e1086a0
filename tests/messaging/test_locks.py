"""Concurrent receipts and sends of the same users: no deadlock, and no needless waiting."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from conversations import event_log
from conversations.models import Conversation, Participant
from conversations.services import update_conversation
from messaging.integrity import faults
from messaging.models import Message, ReceiptChange
from messaging.services.change import edit_message
from messaging.services.receipts import ReceiptUpdate, record_receipts
from realtime.database.rows import execute
from realtime.wire.errors import DomainError
from tests.making import group, participant, people, person, say
from tests.waiting import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)
WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def reading(team: Conversation, *users: User) -> list[ReceiptUpdate]:
    return [
        ReceiptUpdate(user_id=user.id, kind=ReceiptChange.Kind.READ, conversation_id=team.id, sequence=3)
        for user in users
    ]


class Other(threading.Thread):
    """A thread that locks two participants, the second only when somebody waits for the first."""

    def __init__(self, first: Participant, second: Participant) -> None:
        super().__init__()
        self.has_the_first = threading.Event()
        self.error: Exception | None = None
        self._participants = first.pk, second.pk

    def run(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                self._lock(self._participants[0])
                self.has_the_first.set()
                until = time.monotonic() + DEADLINE
                while time.monotonic() < until:
                    cursor.execute(WAITERS)
                    if cursor.fetchone()[0]:
                        break
                self._lock(self._participants[1])
                cursor.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.error = error
        finally:
            connection.close()

    def _lock(self, key: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM conversations_participant WHERE id = %s FOR UPDATE", [key])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=str)
def test_a_batch_of_receipts_never_waits_while_it_holds_a_lock(order: tuple[int, int]) -> None:
    users = people("ana", "ben")
    team = group(*users)
    say(team, users[0])
    first, second = (participant(team, users[number]) for number in order)
    other = Other(first, second)
    other.start()
    assert other.has_the_first.wait(DEADLINE)
    assert record_receipts(reading(team, *users)) == [None, None]
    other.join()
    assert other.error is None
    assert [participant(team, user).last_read_sequence for user in users] == [3, 3]


def test_a_stranger_is_refused_while_participants_are_locked() -> None:
    ana, ben = people("ana", "ben")
    stranger = person("stranger")
    team = group(ana, ben)
    say(team, ana)
    other = Other(participant(team, ben), participant(team, ana))
    other.start()
    assert other.has_the_first.wait(DEADLINE)
    results = record_receipts(reading(team, stranger, ana, ben))
    other.join()
    assert [isinstance(result, DomainError) for result in results] == [True, False, False]
    assert ReceiptChange.objects.count() == 4


@contextmanager
def under_way(act: Callable[[], Any]) -> Iterator[None]:
    """While `act` holds the lock of its conversation. Whatever waits for a lock in the `with` block fails."""
    has_the_lock, may_go_on = threading.Event(), threading.Event()

    def run() -> None:
        with transaction.atomic():
            act()
            has_the_lock.set()
            may_go_on.wait(DEADLINE)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert has_the_lock.wait(DEADLINE)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 300")
        yield
    finally:
        may_go_on.set()
        thread.join()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


def rename(user: User, team: Conversation) -> None:
    update_conversation(user_id=user.id, conversation_id=team.id, changes={"name": "Team"})


@pytest.mark.parametrize("write", ["a send", "an edit", "a change of the group"])
def test_receipts_do_not_wait_for_a_write_under_way(write: str) -> None:
    users = people("ana", "ben")
    team = group(*users)
    sent = say(team, users[0])
    acts: dict[str, Callable[[], Any]] = {
        "a send": lambda: execute([event_log.locking_heads([team.id], wait=True)]),
        "an edit": lambda: edit_message(user_id=users[0].id, message_id=sent.message_id, content="better"),
        "a change of the group": lambda: rename(users[0], team),
    }
    with under_way(acts[write]):
        assert record_receipts(reading(team, *users)) == [None, None]


def test_a_change_of_one_group_does_not_wait_for_another_group() -> None:
    ana, ben = people("ana", "ben")
    one, other = group(ana, ben), group(ana, ben)
    with under_way(lambda: rename(ana, one)):
        rename(ana, other)
    other.refresh_from_db()
    assert other.name == "Team"


def test_an_edit_waits_for_a_change_of_its_conversation() -> None:
    ana, ben = people("ana", "ben")
    team = group(ana, ben)
    sent = say(team, ana)

    def edit() -> Message:
        try:
            return edit_message(user_id=ana.id, message_id=sent.message_id, content="better")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with under_way(lambda: rename(ana, team)), connection.cursor() as cursor:
            edited = pool.submit(edit)
            waiting, until = 0, time.monotonic() + DEADLINE
            while not waiting and time.monotonic() < until:
                cursor.execute(WAITERS)
                [[waiting]] = cursor.fetchall()
        assert edited.result(DEADLINE).content == "better"
    assert list(faults()) == []
