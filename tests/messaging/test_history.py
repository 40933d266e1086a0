"""History: pages in both directions, around a message, and only from the viewer's history start."""

import json
import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from conversations import services
from conversations.models import Conversation, Participant
from messaging import selectors
from messaging.frames import HistoryQuery
from messaging.models import Message
from realtime.wire.errors import Invalid, NotFound
from tests.making import direct, group, people, person, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return person("ana")


@pytest.fixture
def talk(ana: User) -> Conversation:
    """Nine messages, sequences 2 to 10."""
    talk = direct(ana, person("ben"))
    for number in range(2, 11):
        say(talk, ana, str(number))
    return talk


def sequences(user: User, conversation: Conversation, **query: Any) -> tuple[list[int], bool]:
    page = selectors.history(user.id, conversation.id, HistoryQuery(**query))
    return [message.sequence for message in page.results], page.has_more


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ([10, 9, 8, 7, 6, 5, 4, 3, 2], False)),
        ({"limit": 4}, ([10, 9, 8, 7], True)),
        ({"limit": 9}, ([10, 9, 8, 7, 6, 5, 4, 3, 2], False)),
        ({"before": 5, "limit": 2}, ([4, 3], True)),
        ({"before": 4, "limit": 2}, ([3, 2], False)),
        ({"before": 2}, ([], False)),
        ({"after": 7, "limit": 2}, ([9, 8], True)),
        ({"after": 8, "limit": 2}, ([10, 9], False)),
        ({"after": 10}, ([], False)),
        ({"after": 99}, ([], False)),
        ({"around": 6, "limit": 4}, ([8, 7, 6, 5], True)),
        ({"around": 10, "limit": 4}, ([10, 9, 8, 7], True)),
        ({"around": 2, "limit": 4}, ([4, 3, 2], False)),
        ({"around": 99, "limit": 3}, ([10, 9, 8], True)),
        ({"around": 6, "limit": 1}, ([6], True)),
    ],
    ids=str,
)
def test_a_query_returns_its_page(
    query: dict[str, Any], expected: tuple[list[int], bool], talk: Conversation, ana: User
) -> None:
    assert sequences(ana, talk, **query) == expected


def test_paging_either_way_gives_each_message_once(talk: Conversation, ana: User) -> None:
    back, (page, more) = [], sequences(ana, talk, limit=2)
    while True:
        back += page
        if not more:
            break
        page, more = sequences(ana, talk, limit=2, before=page[-1])
    forth, (page, more) = [], sequences(ana, talk, limit=2, after=0)
    while True:
        forth += page[::-1]
        if not more:
            break
        page, more = sequences(ana, talk, limit=2, after=page[0])
    assert back == forth[::-1] == list(range(10, 1, -1))


def test_before_and_after_together_are_refused(talk: Conversation, ana: User) -> None:
    with pytest.raises(Invalid):
        sequences(ana, talk, before=5, after=2)


def test_no_query_reaches_before_the_history_start(ana: User) -> None:
    ben = person("ben")
    team = group(ana, name="Team")
    old = say(team, ana, "before")
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    new = say(team, ana, "after")
    mine = [new.sequence, new.sequence - 1]
    for query in ({}, {"after": 0}, {"around": old.sequence}, {"around": new.sequence}):
        assert sequences(ben, team, **query)[0][:2] == mine
        assert old.sequence not in sequences(ben, team, **query)[0]
    assert sequences(ben, team, before=old.sequence + 1) == ([], False)
    with pytest.raises(NotFound):
        selectors.visible_message(ben.id, old.message_id)
    assert selectors.visible_message(ben.id, new.message_id)[0].content == "after"


def test_strangers_and_former_members_see_nothing(talk: Conversation, ana: User) -> None:
    cleo, dan = people("cleo", "dan")
    team = group(ana, dan)
    sent = say(team, dan)
    services.leave(user_id=dan.id, conversation_id=team.id)
    for user, conversation in ((cleo, talk), (dan, team)):
        with pytest.raises(NotFound):
            sequences(user, conversation)
    for message_id in (sent.message_id, uuid.uuid4()):
        with pytest.raises(NotFound):
            selectors.visible_message(dan.id, message_id)


def test_the_number_of_queries_does_not_grow_with_the_page(
    talk: Conversation, ana: User, django_assert_num_queries: Any
) -> None:
    for limit in (1, 9):
        with django_assert_num_queries(3):
            sequences(ana, talk, limit=limit)


def test_the_status_in_a_large_group_reads_few_rows(ana: User) -> None:
    """The status needs one participant who is behind. The query plan says how many rows were read to find one."""
    others = User.objects.bulk_create(User(username=f"member-{number}", password="!") for number in range(500))
    team = group(ana)
    Participant.objects.bulk_create(
        Participant(conversation=team, user=user, joined_at=timezone.now()) for user in others
    )
    say(team, ana)
    plans: list[Any] = []

    def explained(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if "last_read_sequence" in sql and Message._meta.db_table not in sql:
            execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters, many, context)
            plans.append(context["cursor"].fetchone()[0])
        return execute(sql, parameters, many, context)

    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Participant._meta.db_table}")
    with connection.execute_wrapper(explained):
        (message,) = selectors.history(ana.id, team.id, HistoryQuery(limit=1)).results
    assert message.status == "sent"
    plan = json.dumps(plans)
    read = [int(rows) for rows in re.findall(r'"(?:Actual Rows|Rows Removed by Filter)": (\d+)', plan)]
    assert read, plan
    assert max(read) < 10
