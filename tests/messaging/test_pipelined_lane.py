"""The lane on the event loop: the pipeline writes, threads take over what has to wait, nothing is lost or doubled."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from conversations.models import Conversation, Participant
from messaging.errors import IdempotencyConflict
from messaging.models import Message
from messaging.services.drafts import Send
from messaging.services.send import Sent, send_message
from realtime.wire.errors import DomainError
from realtime.writes import pipeline
from tests.making import direct, draft, people
from tests.messaging.desk import Desk, Holder, contents, holding, run, started
from tests.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]


@pytest.fixture
def team() -> list[User]:
    return people("ana", "ben", "cleo")


@pytest.fixture
def talk(team: list[User]) -> Conversation:
    return direct(team[0], team[1])


@pytest.fixture
def other_talk(team: list[User]) -> Conversation:
    return direct(team[0], team[2])


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    all_holders: list[Holder] = []
    yield all_holders
    for holder in all_holders:
        holder.may_go_on.set()
        holder.join()


def test_sends_to_unlocked_conversations_need_no_thread(
    talk: Conversation, other_talk: Conversation, team: list[User]
) -> None:
    sends = [draft(each, team[0], f"{number}") for number in range(200) for each in (talk, other_talk)]

    async def scenario(desk: Desk) -> None:
        desk.submit(*sends)
        await desk.answered()
        assert desk.lane.idle

    desk = run(scenario)
    assert desk.by_threads == []
    assert contents(talk) == contents(other_talk) == [f"{number}" for number in range(200)]
    for send in sends:
        answer = desk.answers[send.client_message_id]
        assert isinstance(answer, Sent)
        assert Message.objects.get(id=answer.message_id).content == send.content


def test_the_pipeline_answers_repetitions_and_refusals_itself(talk: Conversation, team: list[User]) -> None:
    known = draft(talk, team[0], "known")
    original = send_message(known)
    other = Send(talk.id, team[0].id, known.client_message_id, content="other")
    stranger = draft(talk, team[2])

    async def scenario(desk: Desk) -> None:
        desk.submit(known)
        await desk.answered()
        assert desk.answers.pop(known.client_message_id) == Sent(
            original.message_id, talk.id, original.sequence, original.created_at, duplicate=True
        )
        desk.submit(other, stranger)
        await desk.answered(2)
        assert isinstance(desk.answers[other.client_message_id], IdempotencyConflict)
        refusal = desk.answers[stranger.client_message_id]
        assert isinstance(refusal, DomainError)
        assert refusal.code == "not_found"

    assert run(scenario).by_threads == []


def test_a_locked_conversation_waits_alone_and_keeps_its_order(
    talk: Conversation, other_talk: Conversation, team: list[User], holders: list[Holder]
) -> None:
    holders.append(holding(talk))
    waiting = [draft(talk, team[0], f"{number}") for number in range(6)]
    free = [draft(other_talk, team[0], f"{number}") for number in range(6)]

    async def scenario(desk: Desk) -> None:
        desk.threads_may_go_on.clear()
        desk.submit(*waiting[:2], *free[:3])
        await desk.answered(3)
        desk.submit(waiting[2], *free[3:], waiting[3])
        await desk.answered(6)
        assert set(desk.answers) == {send.client_message_id for send in free}
        assert not desk.lane.idle
        holders[0].may_go_on.set()
        await asyncio.to_thread(holders[0].join)
        desk.submit(*waiting[4:])
        await asyncio.sleep(0.2)
        desk.threads_may_go_on.set()
        await desk.answered()
        known_to_threads = len(desk.by_threads)
        desk.submit(last := draft(talk, team[0], "last"))
        await desk.answered()
        assert len(desk.by_threads) == known_to_threads, "no longer locked, so it needs no thread"
        assert isinstance(desk.answers[last.client_message_id], Sent)

    desk = run(scenario)
    assert contents(talk) == [*(f"{number}" for number in range(6)), "last"]
    assert {send.conversation_id for send in desk.by_threads} == {talk.id}


def test_a_send_queued_behind_a_locked_one_follows_it(
    talk: Conversation, team: list[User], holders: list[Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    holders.append(holding(talk))
    first, second = draft(talk, team[0], "first"), draft(talk, team[0], "second")

    async def scenario(desk: Desk) -> None:
        write = desk.lane._pipeline.write

        async def write_then_unlock(*batch: Any) -> Any:
            decision = await write(*batch)
            holders[0].may_go_on.set()
            await asyncio.to_thread(holders[0].join)
            return decision

        monkeypatch.setattr(desk.lane._pipeline, "write", write_then_unlock)
        desk.threads_may_go_on.clear()
        desk.submit(first)
        await asyncio.sleep(0)  # the write is under way; that the conversation is locked is not known yet
        desk.submit(second)
        await until(lambda: desk.by_threads)
        await asyncio.sleep(0.2)
        assert desk.answers == {}
        desk.threads_may_go_on.set()
        await desk.answered()

    assert run(scenario).by_threads == [first, second]
    assert contents(talk) == ["first", "second"]


def test_a_send_id_committed_meanwhile_elsewhere_is_a_conflict(
    talk: Conversation, team: list[User], holders: list[Holder]
) -> None:
    send = draft(talk, team[0], "once")

    def write_first() -> None:
        # Under the lock of another conversation: only the unique constraint keeps the two apart.
        Message.objects.create(
            conversation=direct(team[1], team[2]),
            sequence=77,
            sender=team[0],
            client_message_id=send.client_message_id,
            message_type="text",
            created_at=talk.created_at,
        )

    holders.append(started(Holder(write_first)))

    async def scenario(desk: Desk) -> None:
        desk.submit(send)
        await asyncio.sleep(0.2)
        assert not desk.answers, "it waits for the other transaction"
        holders[0].may_go_on.set()
        await desk.answered()

    desk = Desk()

    async def play() -> None:
        await desk.opens()
        await scenario(desk)
        desk.lane.close()

    asyncio.run(play())
    assert isinstance(desk.answers[send.client_message_id], IdempotencyConflict)
    assert desk.by_threads == [send]
    assert Message.objects.filter(client_message_id=send.client_message_id).count() == 1


def test_a_cut_connection_loses_and_doubles_nothing(talk: Conversation, team: list[User]) -> None:
    sends = [draft(talk, team[0], f"{number}") for number in range(60)]

    def cut(libpq: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [libpq.backend_pid])
        connection.close()

    async def scenario(desk: Desk) -> None:
        for start in range(0, 60, 20):
            desk.submit(*sends[start : start + 10])
            await asyncio.to_thread(cut, desk.lane._pipeline._libpq)
            desk.submit(*sends[start + 10 : start + 20])
            await desk.answered()
            await desk.opens()
            desk.submit(whole := draft(talk, team[1], "between"))
            await desk.answered()
            assert isinstance(desk.answers[whole.client_message_id], Sent)

    desk = run(scenario)
    assert all(isinstance(answer, Sent) for answer in desk.answers.values())
    assert [text for text in contents(talk) if text != "between"] == [f"{number}" for number in range(60)]


def test_a_write_without_an_answer_goes_to_the_threads(
    talk: Conversation, other_talk: Conversation, team: list[User], holders: list[Holder], monkeypatch: Any
) -> None:
    monkeypatch.setattr(pipeline, "WRITE_SECONDS", 0.3)
    participant = Participant.objects.get(conversation=talk, user=team[0])
    holders.append(started(Holder(lambda: Participant.objects.select_for_update().get(pk=participant.pk))))
    send = draft(talk, team[0], "patient")

    async def scenario(desk: Desk) -> None:
        desk.submit(send)
        await until(lambda: desk.by_threads)
        holders[0].may_go_on.set()
        await desk.answered()
        await desk.opens()

    desk = run(scenario)
    assert isinstance(desk.answers[send.client_message_id], Sent)
    assert contents(talk) == ["patient"]


def test_a_batch_larger_than_the_socket_buffers_is_written(talk: Conversation, team: list[User]) -> None:
    sends = [draft(talk, team[0], f'{number}\\"{{,}}\n€' + "x" * 9_000) for number in range(128)]

    async def scenario(desk: Desk) -> None:
        with socket.socket(fileno=os.dup(desk.lane._pipeline._libpq.socket)) as wire:  # type: ignore[union-attr]
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        desk.submit(*sends)
        await desk.answered()

    assert run(scenario).by_threads == []
    assert contents(talk) == [send.content for send in sends]


def test_a_connection_cut_during_a_write_is_noticed_at_once(
    talk: Conversation, team: list[User], holders: list[Holder]
) -> None:
    participant = Participant.objects.get(conversation=talk, user=team[0])
    holders.append(started(Holder(lambda: Participant.objects.select_for_update().get(pk=participant.pk))))
    send = draft(talk, team[0], "cut off")

    def cut(backend: int) -> None:
        with connection.cursor() as cursor:
            waiting = "SELECT pid FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            while not cursor.execute(waiting, [backend]).fetchall():
                time.sleep(0.01)
            cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
        connection.close()

    async def scenario(desk: Desk) -> None:
        libpq = desk.lane._pipeline._libpq
        assert libpq is not None
        desk.submit(send)
        await asyncio.to_thread(cut, libpq.backend_pid)
        await until(lambda: desk.by_threads, within=pipeline.WRITE_SECONDS / 2)
        holders[0].may_go_on.set()
        await desk.answered()

    assert isinstance(run(scenario).answers[send.client_message_id], Sent)
    assert contents(talk) == ["cut off"]


def test_a_failing_answer_callback_does_not_stop_the_others(
    talk: Conversation, team: list[User], caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("the socket is gone")

    async def scenario(desk: Desk) -> None:
        desk.lane.submit(talk.id, draft(talk, team[0], "one"), fails)
        desk.submit(draft(talk, team[0], "two"))
        await desk.answered()

    run(scenario)
    assert contents(talk) == ["one", "two"]
    assert "an answer could not be given" in caplog.text
