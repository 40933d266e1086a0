"""Mention counts: reading, editing, deleting and concurrency keep them exact."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from accounts.models import User
from conversations import services
from conversations.models import Conversation
from conversations.selectors import conversation_body
from messaging.frames import HistoryQuery, Mention
from messaging.integrity import faults
from messaging.models import Mention as Counted
from messaging.models import Message
from messaging.selectors import bodies_for, history
from messaging.services.change import delete_message_for_everyone, edit_message
from messaging.services.send import Sent
from realtime.wire.errors import Invalid
from tests.making import at_once, group, mentions, naming, people, person, read, say, unread

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return person("ana")


@pytest.fixture
def ben() -> User:
    return person("ben")


@pytest.fixture
def cleo() -> User:
    return person("cleo")


@pytest.fixture
def team(ana: User, ben: User, cleo: User) -> Iterator[Conversation]:
    """Its first message will have sequence 3. Another group of the same users must stay unaffected."""
    group(ana, ben, cleo)
    yield group(ana, ben, cleo)
    assert list(faults()) == []


def shown(sent: Sent) -> list[dict[str, Any]]:
    return Message.objects.get(id=sent.message_id).mentions


def edit(user: User, sent: Sent, *named: User, content: str = "edited") -> Message:
    return edit_message(user_id=user.id, message_id=sent.message_id, content=content, mentions=naming(*named))


def delete(user: User, sent: Sent) -> None:
    delete_message_for_everyone(user_id=user.id, message_id=sent.message_id)


# --- Reading --------------------------------------------------------------------------------


def test_reading_lowers_the_mention_count(team: Conversation, ana: User, ben: User) -> None:
    for number in range(6):
        say(team, ana, mentions=naming(ben) if number % 2 else [])
    seen = []
    for sequence in (3, 4, 6, 7, 8):
        read(team, ben, sequence)
        seen.append((mentions(team, ben), unread(team, ben)))
    assert seen == [(3, 5), (2, 4), (1, 2), (1, 1), (0, 0)]


# --- Edits and deletions --------------------------------------------------------------------


def test_an_edit_replaces_the_mentions(team: Conversation, ana: User, ben: User, cleo: User) -> None:
    sent = say(team, ana, mentions=naming(ben))
    message = edit(ana, sent, cleo, ana)
    (body,) = bodies_for(cleo.id, [message])
    assert msgspec.to_builtins(body.mentions) == msgspec.to_builtins(naming(cleo, ana)) == shown(sent)
    assert [mentions(team, user) for user in (ana, ben, cleo)] == [0, 0, 1]
    (row,) = Counted.objects.all()
    edit(ana, sent, cleo, ben, content="for both")
    assert list(Counted.objects.filter(user=cleo)) == [row], "a user who stays mentioned keeps the same row"
    edit(ana, sent, content="nobody")
    assert (shown(sent), mentions(team, cleo)) == ([], 0)


def test_a_change_of_mentions_alone_is_an_edit(team: Conversation, ana: User, ben: User, cleo: User) -> None:
    sent = say(team, ana, "you", mentions=naming(ben))
    assert edit(ana, sent, ben, content="you").edited_at is None
    assert edit(ana, sent, cleo, content="you").edited_at is not None
    assert [mentions(team, user) for user in (ben, cleo)] == [0, 1]


def test_a_mention_edited_into_a_read_message_counts_as_read(
    team: Conversation, ana: User, ben: User, cleo: User
) -> None:
    first, second = say(team, ana, mentions=naming(ben)), say(team, ana, mentions=naming(ben))
    read(team, ben, first.sequence)
    read(team, cleo, first.sequence)
    edit(ana, first, cleo)
    assert (mentions(team, ben), mentions(team, cleo)) == (1, 0)
    edit(ana, second, cleo)
    assert (mentions(team, ben), mentions(team, cleo)) == (0, 1)


def test_a_mention_edited_in_counts_only_for_viewers_of_the_message(team: Conversation, ana: User, ben: User) -> None:
    sent = say(team, ana)
    dan = person("dan")
    group(ana, dan)  # dan shares another conversation only
    with pytest.raises(Invalid, match="mentions"):
        edit(ana, sent, dan)
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[dan.id])
    services.leave(user_id=ben.id, conversation_id=team.id)
    edit(ana, sent, dan, ben)
    assert (len(shown(sent)), mentions(team, dan), Counted.objects.count()) == (2, 0, 0)
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    edit(ana, sent, ben, dan)
    assert mentions(team, ben) == 0


def test_a_mention_outside_the_edited_text_is_refused(team: Conversation, ana: User, ben: User) -> None:
    sent = say(team, ana, "long enough", mentions=naming(ben))
    with pytest.raises(Invalid, match="outside"):
        edit_message(
            user_id=ana.id,
            message_id=sent.message_id,
            content="short",
            mentions=[Mention(user_id=ben.id, offset=5, length=1)],
        )
    assert mentions(team, ben) == 1


def test_deleting_a_message_removes_its_mentions(team: Conversation, ana: User, ben: User, cleo: User) -> None:
    sent, other = say(team, ana, mentions=naming(ben, cleo)), say(team, ana, mentions=naming(ben))
    read(team, cleo, sent.sequence)
    delete(ana, sent)
    assert (shown(sent), Counted.objects.count()) == ([], 1)
    assert [(mentions(team, user), unread(team, user)) for user in (ben, cleo)] == [(1, 1), (0, 1)]
    delete(ana, other)
    assert [(mentions(team, user), unread(team, user)) for user in (ben, cleo)] == [(0, 0), (0, 0)]


# --- Concurrency ------------------------------------------------------------------------------


def derived(team: Conversation, user: User) -> int:
    """The count as a client derives it: messages of others after the read position that mention the user."""
    body = conversation_body(user.id, team.id)
    messages = history(user.id, team.id, HistoryQuery(limit=200)).results
    return sum(
        message.sequence > body.me.last_read_sequence
        and message.sender_user_id != user.id
        and str(user.id) in {each["user_id"] for each in msgspec.to_builtins(message.mentions)}
        for message in messages
    )


def random_action(dice: random.Random, team: Conversation, everybody: list[User]) -> Callable[[], Any]:
    """A random action that changes mentions or read positions."""
    user = dice.choice(everybody)
    named = dice.sample(everybody, dice.randrange(1, 4))
    match dice.randrange(6):
        case 0 | 1:
            return lambda: say(team, user, "some words", mentions=naming(*named))
        case 2:
            found = Message.objects.filter(conversation=team, sender=user, deleted_at=None).order_by("?").first()
            if found is not None:
                return lambda: edit_message(
                    user_id=user.id, message_id=found.id, content=f"edited {dice.random()}", mentions=naming(*named)
                )
        case 3:
            found = Message.objects.filter(conversation=team, sender=user, deleted_at=None).order_by("?").first()
            if found is not None and dice.random() < 0.3:
                return lambda: delete_message_for_everyone(user_id=user.id, message_id=found.id)
        case 4:
            return lambda: read(team, user)
    head = Conversation.objects.get(id=team.id).last_sequence
    return lambda: read(team, user, dice.randrange(max(1, head - 8), head + 1))


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_what_a_client_derives(team: Conversation, ana: User, ben: User, cleo: User, seed: int) -> None:
    dice = random.Random(seed)
    everybody = [ana, ben, cleo]
    for _ in range(60):
        random_action(dice, team, everybody)()
        assert [mentions(team, user) for user in everybody] == [derived(team, user) for user in everybody]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_counts_stay_exact_under_concurrent_actions(seed: int) -> None:
    dice = random.Random(seed)
    everybody = people("ana", "ben", "cleo")
    team = group(*everybody)
    for _ in range(12):
        at_once([random_action(dice, team, everybody) for _ in range(6)])
        assert list(faults()) == []
        assert [mentions(team, user) for user in everybody] == [derived(team, user) for user in everybody]
    assert Counted.objects.count() > 3
