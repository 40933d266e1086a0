"""Sending: order, permanent idempotency, and batches in which each send succeeds or fails by itself."""

import uuid
from typing import Any

import msgspec
import pytest

from accounts.models import User
from conversations import services
from conversations.models import Conversation, Event
from messaging.errors import IdempotencyConflict
from messaging.integrity import faults
from messaging.models import Message
from messaging.services.change import delete_message_for_everyone, edit_message
from messaging.services.drafts import Send
from messaging.services.send import Sent, send_message, send_messages
from realtime.wire.errors import DomainError, Forbidden, Invalid, NotFound
from tests.making import at_once, direct, draft, group, people, person, say, unread


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


# --- One send -----------------------------------------------------------------------------


def test_a_send_takes_the_next_sequence_and_logs_an_event(talk: Conversation, ana: User, ben: User) -> None:
    sent = say(talk, ana, "hi", metadata={"a": [1, None]}, message_type="text")
    message = Message.objects.get(id=sent.message_id)
    assert (message.sequence, message.content, message.metadata, message.sender) == (2, "hi", {"a": [1, None]}, ana)
    event = Event.objects.get(conversation=talk, sequence=2)
    assert (event.kind, event.message_id, event.actor_id) == ("new_message", message.id, ana.id)
    talk.refresh_from_db()
    assert (talk.last_sequence, talk.last_message_sequence, talk.message_count) == (2, 2, 1)
    assert talk.last_activity_at == message.created_at
    assert (unread(talk, ana), unread(talk, ben)) == (0, 1)


def test_strangers_muted_and_former_members_cannot_send(talk: Conversation, ana: User, ben: User) -> None:
    cleo = person("cleo")
    with pytest.raises(NotFound):
        say(talk, cleo)
    with pytest.raises(NotFound):
        send_message(Send(conversation_id=uuid.uuid4(), sender_id=ana.id, client_message_id=uuid.uuid4()))
    team = group(ana, ben)
    services.update_participant(user_id=ana.id, conversation_id=team.id, other_id=ben.id, can_send_messages=False)
    with pytest.raises(Forbidden):
        say(team, ben)
    services.leave(user_id=ben.id, conversation_id=team.id)
    with pytest.raises(NotFound):
        say(team, ben)


def test_a_reply_to_a_message_the_sender_cannot_see_is_refused(ana: User, ben: User) -> None:
    team, other = group(ana, name="Team"), direct(ana, ben)
    old = say(team, ana, "before ben came")
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    new = say(team, ana, "after")
    reply = say(team, ben, reply_to_id=new.message_id)
    assert Message.objects.get(id=reply.message_id).reply_to_id == new.message_id
    for unseen in (old.message_id, say(other, ana).message_id, uuid.uuid4()):
        with pytest.raises(Invalid, match="reply_to_id"):
            say(team, ben, reply_to_id=unseen)
    assert say(team, ana, reply_to_id=old.message_id)
    with pytest.raises(Invalid, match="reply_to_id"):
        say(team, ana, reply_to_id=say(other, ana).message_id)


# --- Idempotency --------------------------------------------------------------------------


def test_a_repeated_send_returns_the_original(talk: Conversation, ana: User) -> None:
    send = draft(talk, ana, "once", metadata={"b": 1, "a": {"d": 1, "c": 2}})
    first = send_message(send)
    other_order = msgspec.structs.replace(send, metadata={"a": {"c": 2, "d": 1}, "b": 1})
    for repetition in (send, other_order):
        again = send_message(repetition)
        assert again == msgspec.structs.replace(first, duplicate=True)
    assert Message.objects.count() == 1


@pytest.mark.parametrize("change", [{"content": "other"}, {"metadata": {"a": 1}}, {"message_type": "location"}])
def test_the_same_id_with_other_content_is_a_conflict(change: dict[str, Any], talk: Conversation, ana: User) -> None:
    send = draft(talk, ana)
    send_message(send)
    with pytest.raises(IdempotencyConflict):
        send_message(msgspec.structs.replace(send, **change))


def test_the_same_id_in_another_conversation_is_a_conflict(talk: Conversation, ana: User) -> None:
    send = draft(talk, ana)
    send_message(send)
    with pytest.raises(IdempotencyConflict):
        send_message(msgspec.structs.replace(send, conversation_id=group(ana).id))


def test_two_senders_may_use_the_same_id(talk: Conversation, ana: User, ben: User) -> None:
    send = draft(talk, ana)
    assert send_message(send).sequence == 2
    assert send_message(msgspec.structs.replace(send, sender_id=ben.id)).sequence == 3


def test_a_send_repeated_after_edit_deletion_and_removal_is_recognised(ana: User, ben: User) -> None:
    team = group(ana, ben)
    send = draft(team, ben, "first words")
    original = send_message(send)
    edit_message(user_id=ben.id, message_id=original.message_id, content="second thoughts")
    assert send_message(send) == msgspec.structs.replace(original, duplicate=True)
    delete_message_for_everyone(user_id=ben.id, message_id=original.message_id)
    assert send_message(send) == msgspec.structs.replace(original, duplicate=True)
    services.remove_participant(user_id=ana.id, conversation_id=team.id, other_id=ben.id)
    assert send_message(send) == msgspec.structs.replace(original, duplicate=True)
    assert Message.objects.get(id=original.message_id).content == ""


@pytest.mark.django_db(transaction=True)
def test_concurrent_repeats_of_a_send_make_one_message() -> None:
    ana, ben = people("ana", "ben")
    send = draft(direct(ana, ben), ana)
    results = at_once([lambda: send_message(send)] * 8)
    assert len({result.message_id for result in results}) == 1
    assert sorted(result.duplicate for result in results) == [False] + [True] * 7
    assert list(faults()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round", range(5))
def test_one_id_sent_to_two_conversations_at_once_conflicts_once(round: int) -> None:
    """The row locks differ, so only the unique key of the id decides; the loser must be told why."""
    ana, ben, cleo = people("ana", "ben", "cleo")
    send = draft(direct(ana, ben), ana)
    other = msgspec.structs.replace(send, conversation_id=direct(ana, cleo).id)
    unrelated = draft(direct(ana, cleo), cleo, "unrelated")
    results = at_once([lambda: send_messages([send]), lambda: send_messages([other, unrelated])])
    first, (second, third) = results[0][0], results[1]
    assert sorted(outcomes([first, second]), key=len) == ["2", "idempotency_conflict"] or outcomes([first, second]) == [
        "idempotency_conflict",
        "2",
    ]
    assert isinstance(third, Sent), "another send of the same batch succeeds"
    assert Message.objects.count() == 2
    assert list(faults()) == []


@pytest.mark.django_db(transaction=True)
def test_concurrent_sends_leave_no_gap_in_the_sequence() -> None:
    everybody = people(*(f"p{number}" for number in range(8)))
    team, side = group(*everybody, name="Team"), group(*everybody, name="Side")

    def talk_a_lot(user: User) -> list[Any]:
        return [
            result
            for _ in range(5)
            for result in send_messages([draft(team, user), draft(side, user), draft(team, user)])
        ]

    results = at_once([lambda user=user: talk_a_lot(user) for user in everybody])  # type: ignore[misc]
    assert all(isinstance(result, Sent) for part in results for result in part)
    taken = sorted(result.sequence for part in results for result in part if result.conversation_id == team.id)
    assert taken == list(range(3, 3 + 8 * 10))
    assert list(faults()) == []
