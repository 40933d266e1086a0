"""The conversation list and the participant list: order, filters, pages."""

import base64
import random
from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from conversations import selectors
from conversations.frames import ConversationListQuery, PageQuery
from conversations.models import Conversation
from conversations.services import add_participants, remove_participant, update_own_settings
from realtime.wire.errors import Invalid, NotFound
from tests.making import direct, group, people, person, read, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return person("ana")


def page(user: User, **query: Any) -> Any:
    return selectors.conversation_page(user.id, ConversationListQuery(**query))


def names(user: User, **query: Any) -> list[str]:
    return [conversation.display_name for conversation in page(user, **query).results]


def pages(user: User, limit: int) -> list[UUID]:
    found, cursor = [], None
    while True:
        part = page(user, limit=limit, cursor=cursor)
        found += [conversation.id for conversation in part.results]
        cursor = part.next
        if cursor is None:
            return found


def test_the_latest_message_puts_a_conversation_first(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    first, second, team = direct(ana, ben), direct(ana, cleo), group(ana, ben, cleo, name="Team")
    assert names(ana) == ["Team", "cleo", "ben"]
    say(first, ben)
    assert names(ana) == ["ben", "Team", "cleo"]
    say(second, ana)
    say(team, cleo)
    assert names(ana) == ["Team", "cleo", "ben"]


def test_filters_apply_to_every_page(ana: User) -> None:
    talks = [direct(ana, other) for other in people("ben1", "ben2", "ben3", "ben4", "cleo")]
    for talk in talks[:2]:
        update_own_settings(user_id=ana.id, conversation_id=talk.id, changes={"archived": True})

    def all_pages(**query: Any) -> list[str]:
        found, cursor = [], None
        while True:
            part = page(ana, limit=1, cursor=cursor, **query)
            found += [each.display_name for each in part.results]
            cursor = part.next
            if cursor is None:
                return found

    assert all_pages(archived=True) == ["ben2", "ben1"]
    assert all_pages(archived=False) == ["cleo", "ben4", "ben3"]
    assert all_pages(q="ben") == ["ben4", "ben3", "ben2", "ben1"]
    assert all_pages(q="ben", archived=False) == ["ben4", "ben3"]
    assert all_pages(q="ben", unread=True) == []


def test_archived_filters_to_one_kind_or_the_other(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    direct(ana, ben)
    archived = direct(ana, cleo)
    update_own_settings(user_id=ana.id, conversation_id=archived.id, changes={"archived": True})
    assert names(ana) == ["cleo", "ben"]
    assert names(ana, archived=True) == ["cleo"]
    assert names(ana, archived=False) == ["ben"]
    assert names(ana, archived=True, q="ben") == []
    assert names(cleo, archived=True) == []


def test_receipts_do_not_move_a_conversation(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    older, _ = direct(ana, ben), direct(ana, cleo)
    read(older, ana)
    assert names(ana) == ["cleo", "ben"]


def test_only_conversations_with_a_current_membership_are_listed(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    direct(ben, cleo)
    team = group(ben, ana, name="Team")
    assert names(ana) == ["Team"]
    remove_participant(user_id=ben.id, conversation_id=team.id, other_id=ana.id)
    assert names(ana) == []


def test_pages_together_hold_each_conversation_once(ana: User) -> None:
    made = {group(ana, name=str(number)).id for number in range(11)}
    for limit in (1, 3, 5, 10, 11, 200):
        found = pages(ana, limit)
        assert len(found) == len(set(found)) == 11
        assert set(found) == made


def test_conversations_with_equal_activity_times_are_all_listed(ana: User) -> None:
    for number in range(7):
        group(ana, name=str(number))
    moment = Conversation.objects.earliest("created_at").created_at
    Conversation.objects.update(last_activity_at=moment)
    assert len(set(pages(ana, 2))) == len(pages(ana, 2)) == 7


@pytest.mark.parametrize("seed", range(5))
def test_activity_between_pages_causes_no_duplicates(seed: int, ana: User) -> None:
    chance = random.Random(seed)
    all_of_them = [group(ana, name=str(number)) for number in range(12)]
    found, moved, cursor = [], set(), None
    while True:
        part = page(ana, limit=3, cursor=cursor)
        found += [conversation.id for conversation in part.results]
        if (cursor := part.next) is None:
            break
        written_in = chance.choice(all_of_them)
        say(written_in, ana)
        moved.add(written_in.id)
    assert len(found) == len(set(found))
    assert set(found) | moved == {conversation.id for conversation in all_of_them}


def test_the_unread_filter_lists_conversations_with_unread_messages(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    talk, other = direct(ana, ben), direct(ana, cleo)
    assert names(ana, unread=True) == []
    say(talk, ben)
    say(other, ana)
    assert names(ana, unread=True) == ["ben"]
    assert names(cleo, unread=True) == ["ana"]
    read(talk, ana)
    assert names(ana, unread=True) == []


def test_q_matches_names_of_groups_and_other_participants(ana: User) -> None:
    ben = person("ben", display_name="Benjamin")
    cleo = person("cleo")
    direct(ana, ben)
    group(ana, cleo, name="Launch")
    group(ana, ben, cleo, name="Lunch")
    assert names(ana, q="JAM") == ["Lunch", "Benjamin"]
    assert names(ana, q=" laun ") == ["Launch"]
    assert names(ana, q="ana") == [], "the viewer's own name does not match"
    assert names(ana, q="%") == []
    assert len(names(ana, q=" ")) == 3


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


ID = "00000000-0000-7000-8000-000000000000"
CURSORS = [
    "",
    "x",
    "ü",
    encoded("|"),
    encoded(f"2026-01-01|{ID}"),
    encoded(f"2026-01-01T00:00:00|{ID}"),
    encoded("2026-01-01T00:00:00+00:00|x"),
    encoded(f"0001-01-01T00:00:00+23:59|{ID}"),
    encoded(f"9999-12-31T23:59:59-23:59|{ID}"),
]


@pytest.mark.parametrize("cursor", CURSORS)
def test_an_invalid_cursor_is_refused(cursor: str, ana: User) -> None:
    talk = direct(ana, person("ben"))
    with pytest.raises(Invalid, match="cursor"):
        page(ana, cursor=cursor)
    with pytest.raises(Invalid, match="cursor"):
        selectors.participant_page(ana.id, talk.id, PageQuery(cursor=cursor))


def test_the_number_of_queries_does_not_grow_with_the_page(ana: User, django_assert_num_queries: Any) -> None:
    for number in range(20):
        talk = direct(ana, person(f"other{number}"))
        say(talk, ana)
    for limit in (2, 20):
        with django_assert_num_queries(4):
            assert len(page(ana, limit=limit).results) == limit


def test_participants_are_paged_in_joining_order(ana: User) -> None:
    others = people(*(f"other{number}" for number in range(9)))
    team = group(ana, *others)
    rejoined, *stayed = others
    remove_participant(user_id=ana.id, conversation_id=team.id, other_id=rejoined.id)
    add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[rejoined.id])
    found, cursor = [], None
    while True:
        part = selectors.participant_page(ana.id, team.id, PageQuery(limit=4, cursor=cursor))
        found += [participant.username for participant in part.results]
        if (cursor := part.next) is None:
            break
    assert found == [each.username for each in (ana, *stayed, rejoined)]


def test_strangers_cannot_list_participants(ana: User) -> None:
    talk = direct(*people("ben", "cleo"))
    with pytest.raises(NotFound):
        selectors.participant_page(ana.id, talk.id, PageQuery())


def test_a_body_lists_fifty_participants_and_counts_all(ana: User) -> None:
    team = group(ana, *people(*(f"other{number}" for number in range(60))))
    body = selectors.conversation_body(ana.id, team.id)
    assert (len(body.participants), body.participant_count) == (50, 61)


def test_a_message_before_joining_is_not_the_last_message(ana: User) -> None:
    ben = person("ben")
    team = group(ana, name="Team")
    say(team, ana, "secret")
    add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    seen = selectors.conversation_body(ben.id, team.id)
    assert seen.last_message is None or seen.last_message.content != "secret"
    assert seen.unread_count == 0
