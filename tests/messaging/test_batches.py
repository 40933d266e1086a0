"""Batches: each send succeeds or fails by itself."""

import threading
import uuid
from typing import Any

import msgspec
import psycopg
import pytest
from django.db import IntegrityError, connection
from django.db.utils import ConnectionHandler

from accounts.models import User
from conversations.models import Conversation
from messaging.errors import IdempotencyConflict
from messaging.integrity import faults
from messaging.models import Message
from messaging.services import send as send_module
from messaging.services.send import Sent, send_message, send_messages
from realtime.database.threads import with_connection_care
from realtime.wire.errors import DomainError, TryAgain
from tests.making import direct, draft, people, person
from tests.messaging.desk import Desk, run


@pytest.fixture
def ana(db: None) -> User:
    return person("ana")


@pytest.fixture
def ben(db: None) -> User:
    return person("ben")


@pytest.fixture
def talk(ana: User, ben: User) -> Conversation:
    return direct(ana, ben)


def outcomes(results: list[Sent | DomainError]) -> list[str]:
    return [result.code if isinstance(result, DomainError) else str(result.sequence) for result in results]


def test_a_refused_send_leaves_the_others_of_its_batch_unaffected(talk: Conversation, ana: User, ben: User) -> None:
    stranger = person("stranger")
    results = send_messages(
        [draft(talk, ana), draft(talk, stranger), draft(talk, ben), draft(talk, ana, reply_to_id=uuid.uuid4())]
    )
    assert outcomes(results) == ["2", "not_found", "3", "invalid"]
    assert list(faults()) == []


def test_a_repeated_id_in_a_batch_makes_one_message(talk: Conversation, ana: User) -> None:
    send = draft(talk, ana)
    first, second, third = send_messages([send, send, msgspec.structs.replace(send, content="other")])
    assert isinstance(first, Sent)
    assert second == msgspec.structs.replace(first, duplicate=True)
    assert isinstance(third, IdempotencyConflict)
    assert Message.objects.count() == 1


def test_a_batch_over_many_conversations_numbers_each_one(ana: User, ben: User) -> None:
    talks = [direct(ana, other) for other in (ben, *people("cleo", "dan"))]
    results = send_messages([draft(talk, ana, str(number)) for number in range(4) for talk in talks])
    assert outcomes(results) == [str(2 + number) for number in range(4) for _ in talks]
    assert list(faults()) == []


def test_the_number_of_queries_does_not_grow_with_the_batch(
    talk: Conversation, ana: User, django_assert_max_num_queries: Any
) -> None:
    for size in (1, 50):
        with django_assert_max_num_queries(10):
            send_messages([draft(talk, ana) for _ in range(size)])


def test_a_batch_that_keeps_colliding_is_answered_try_again(
    talk: Conversation, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def collides(_: object, sends: object, *, wait: bool) -> None:
        tries.append(sends)
        raise IntegrityError

    with monkeypatch.context() as colliding:
        colliding.setattr(send_module, "transacted", collides)
        results = send_messages([draft(talk, ana), draft(talk, ana)])
    assert outcomes(results) == ["try_again", "try_again"]
    assert len(tries) == send_module.TRIES
    assert isinstance(send_message(draft(talk, ana)), Sent)


@pytest.mark.django_db(transaction=True)
def test_a_locked_conversation_does_not_block_the_rest_of_the_batch() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    busy, free = direct(ana, ben), direct(ana, cleo)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; SELECT 1 FROM conversations_conversation WHERE id = '%s' FOR UPDATE" % busy.id)  # noqa: S608, UP031
            locked.set()
            done.wait(20)
            cursor.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 200")
        results = send_messages([draft(busy, ana), draft(free, ana)])
        assert outcomes(send_messages([draft(busy, ana), draft(busy, ana)])) == ["try_again", "try_again"]
    finally:
        done.set()
        holder.join()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert isinstance(results[0], TryAgain)
    assert results[0].retry_after
    assert isinstance(results[1], Sent)
    assert isinstance(send_message(draft(busy, ana)), Sent)
    assert list(faults()) == []


@pytest.mark.django_db(transaction=True)
def test_after_a_lost_connection_the_next_try_uses_a_new_one(talk: Conversation, ana: User) -> None:
    send = draft(talk, ana)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    parameters = connection.get_connection_params()
    del parameters["cursor_factory"]
    with psycopg.connect(**parameters) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    with pytest.raises(TryAgain):
        with_connection_care(send_messages, [send])
    [sent] = with_connection_care(send_messages, [send])
    assert isinstance(sent, Sent)
    assert (sent.sequence, sent.duplicate) == (2, False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_threads")
def test_a_pipelined_write_opens_no_django_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    made: list[str] = []
    make = ConnectionHandler.create_connection

    def recording(handler: ConnectionHandler, alias: str) -> Any:
        made.append(alias)
        return make(handler, alias)

    async def scenario(desk: Desk) -> None:
        await desk.opens()
        monkeypatch.setattr(ConnectionHandler, "create_connection", recording)
        for _ in range(2):
            desk.submit(draft(talk, ana))
            await desk.answered()

    run(scenario)
    assert made == []
