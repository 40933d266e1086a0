"""Mentions in sends: their ranges in the text, the users they may name, and the counts."""

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from accounts.models import User
from conversations import services
from conversations.frames import ConversationListQuery
from conversations.models import Conversation
from conversations.selectors import conversation_body, conversation_page
from messaging.errors import IdempotencyConflict
from messaging.frames import HistoryQuery, Mention, MessageDraft
from messaging.integrity import faults
from messaging.models import Mention as Counted
from messaging.models import Message
from messaging.selectors import history
from messaging.services.drafts import Send, checked_send
from messaging.services.send import Sent, send_message, send_messages
from realtime.wire.errors import Invalid
from tests.making import direct, draft, group, mentions, naming, people, person, say
from tests.messaging.desk import Desk, run

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
    """Its first message will have sequence 3."""
    yield group(ana, ben, cleo)
    assert list(faults()) == []


def shown(sent: Sent) -> list[dict[str, Any]]:
    return Message.objects.get(id=sent.message_id).mentions


# --- Ranges in the text -------------------------------------------------------------------


def checked(content: str, *ranges: tuple[int, int], **fields: Any) -> Send:
    drafted = [Mention(user_id=uuid.uuid4(), offset=offset, length=length) for offset, length in ranges]
    return checked_send(
        MessageDraft(content=content, mentions=drafted, **fields),
        conversation_id=uuid.uuid4(),
        sender_id=uuid.uuid4(),
    )


@pytest.mark.parametrize(
    "ranges",
    [[(3, 1)], [(-1, 1)], [(0, 4)], [(0, 0)], [(1, -1)], [(0, 2), (1, 1)], [(2, 1), (0, 3)], [(1, 1), (1, 1)]],
    ids=str,
)
def test_a_mention_outside_the_text_or_overlapping_is_refused(ranges: list[tuple[int, int]]) -> None:
    with pytest.raises(Invalid) as refused:
        checked("abc", *ranges)
    assert set(refused.value.fields or ()) == {"mentions"}


def test_ranges_count_code_points_and_are_sorted() -> None:
    text = "\U0001f600\U0001f468\u200d\U0001f469 @ana"
    send = checked(text, (5, 4), (0, 1), (1, 3))
    assert [(each.offset, each.length) for each in send.mentions] == [(0, 1), (1, 3), (5, 4)]
    with pytest.raises(Invalid, match="outside"):
        checked(text, (5, 5))  # counted in UTF-16 code units, it would fit


def test_a_location_cannot_mention() -> None:
    with pytest.raises(Invalid, match="mentions"):
        checked("at ana's", (3, 3), message_type="location", metadata={"latitude": 1, "longitude": 1})


# --- Mentioned users ------------------------------------------------------------------------


def test_a_mention_counts_for_the_member_it_names(team: Conversation, ana: User, ben: User, cleo: User) -> None:
    sent = say(team, ana, "hello you", mentions=[Mention(user_id=ben.id, offset=6, length=3)])
    assert shown(sent) == [{"user_id": str(ben.id), "offset": 6, "length": 3}]
    assert [mentions(team, user) for user in (ana, ben, cleo)] == [0, 1, 0]
    assert list(Counted.objects.values_list("user_id", "message_id", "sequence")) == [(ben.id, sent.message_id, 3)]
    (body,) = history(ben.id, team.id, HistoryQuery(limit=1)).results
    assert msgspec.to_builtins(body.mentions) == shown(sent)
    assert conversation_body(ben.id, team.id).mention_count == 1
    (listed,) = conversation_page(ben.id, ConversationListQuery()).results
    assert (listed.mention_count, listed.unread_count) == (1, 1)


def test_naming_a_user_twice_in_a_message_counts_once(team: Conversation, ana: User, ben: User) -> None:
    sent = say(team, ana, "abc", mentions=naming(ben, ana, ben))
    assert len(shown(sent)) == 3
    assert (mentions(team, ben), mentions(team, ana)) == (1, 0)


def test_a_former_member_may_be_named_and_is_not_counted(team: Conversation, ana: User, ben: User, cleo: User) -> None:
    say(team, ana, "one", mentions=naming(ben))
    services.leave(user_id=ben.id, conversation_id=team.id)
    sent = say(team, ana, "two", mentions=naming(ben, cleo))
    assert [each["user_id"] for each in shown(sent)] == [str(ben.id), str(cleo.id)]
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    assert (mentions(team, ben), mentions(team, cleo)) == (0, 1)
    assert not Counted.objects.filter(user=ben, message_id=sent.message_id).exists()
    say(team, ana, "three", mentions=naming(ben))
    assert mentions(team, ben) == 1


def test_naming_a_stranger_is_refused_without_affecting_the_batch(team: Conversation, ana: User, ben: User) -> None:
    stranger = person("stranger")
    group(ana, stranger)  # the stranger shares another conversation only
    results = send_messages(
        [draft(team, ana, "no", mentions=naming(ben, stranger)), draft(team, ana, "yes", mentions=naming(ben))]
    )
    assert isinstance(results[0], Invalid)
    assert set(results[0].fields or ()) == {"mentions"}
    assert isinstance(results[1], Sent)
    assert mentions(team, ben) == 1


def test_mentions_of_a_whole_batch_are_counted(ana: User, ben: User, cleo: User) -> None:
    one, other = group(ana, ben, cleo), direct(ana, ben)
    batch = [
        draft(one, ana, "ab", mentions=naming(ben, cleo)),
        draft(other, ben, "a", mentions=naming(ana)),
        draft(one, ben, "ab", mentions=naming(ana, cleo)),
        draft(one, cleo, "nobody"),
        draft(other, ana, "a", mentions=naming(ben)),
    ]
    send_messages(batch)
    assert [mentions(one, user) for user in (ana, ben, cleo)] == [1, 1, 2]
    assert [mentions(other, user) for user in (ana, ben)] == [1, 1]
    assert all(isinstance(again, Sent) and again.duplicate for again in send_messages(batch))
    assert [mentions(one, user) for user in (ana, ben, cleo)] == [1, 1, 2]
    assert list(faults()) == []


def test_a_repeated_send_with_other_mentions_is_a_conflict(
    team: Conversation, ana: User, ben: User, cleo: User
) -> None:
    send = draft(team, ana, "ab", mentions=naming(ben))
    send_message(send)
    assert send_message(send).duplicate
    for others in (naming(cleo), naming(ben, cleo), []):
        with pytest.raises(IdempotencyConflict):
            send_message(msgspec.structs.replace(send, mentions=others))


def test_the_digest_of_a_send_without_mentions_is_unchanged() -> None:
    send = Send(uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3), content="hi", metadata={"b": 1, "a": 2})
    assert send.digest == uuid.UUID("abb54681-60aa-895a-47b2-38960540c2f6")
    assert msgspec.structs.replace(send, mentions=[Mention(user_id=uuid.UUID(int=4), offset=0, length=1)]).digest != (
        send.digest
    )


# --- Through the pipelined lane -------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_threads")
def test_the_pipeline_counts_mentions_like_the_threads() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    team, talk = group(ana, ben), direct(ana, cleo)
    stranger = draft(talk, ana, "no", mentions=naming(ben))
    sends = [draft(team, ana, f"{number}", mentions=naming(ben) if number % 3 else []) for number in range(30)]

    async def scenario(desk: Desk) -> None:
        desk.submit(*sends, stranger, draft(talk, ana, "yes", mentions=naming(cleo)))
        await desk.answered(32)

    desk = run(scenario)
    assert desk.by_threads == []
    assert isinstance(desk.answers[stranger.client_message_id], Invalid)
    assert (mentions(team, ben), mentions(talk, cleo)) == (20, 1)
