"""Catch-up: a client that was away gets exactly the events it missed, as it may see them now."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from conversations import catch_up, services
from conversations.errors import ResyncRequired
from conversations.frames import EventsQuery
from conversations.models import Conversation
from messaging.services.change import delete_message_for_everyone, edit_message
from realtime.registry import tag_of
from realtime.wire.errors import NotFound
from tests.making import direct, group, people, person, read, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return person("ana")


def head(conversation: Conversation) -> int:
    return Conversation.objects.get(id=conversation.id).last_sequence


def page(user: User, conversation: Conversation, **query: Any) -> Any:
    return catch_up.events_page(user.id, conversation.id, EventsQuery(**query))


def kinds(frames: list[Any]) -> list[str]:
    return [tag_of(type(frame)) for frame in frames]


def missed(user: User, *, since: datetime.datetime | None = None, **cursors: tuple[Conversation, int]) -> Any:
    return catch_up.missed(user.id, {conversation.id: cursor for conversation, cursor in cursors.values()}, since)


def test_pages_give_every_event_once_in_order(ana: User) -> None:
    ben = person("ben")
    talk = direct(ana, ben)
    first = say(talk, ben, "one")
    say(talk, ben, "two")
    edit_message(user_id=ben.id, message_id=first.message_id, content="ONE")
    delete_message_for_everyone(user_id=ben.id, message_id=first.message_id)
    found: list[Any] = []
    while True:
        part = page(ana, talk, after=len(found), limit=2)
        found += part.events
        assert part.last_sequence == 5
        if not part.has_more:
            break
    assert [frame.sequence for frame in found] == [1, 2, 3, 4, 5]
    assert kinds(found) == [
        "conversation_created",
        "new_message",
        "new_message",
        "message_updated",
        "message_deleted",
    ]
    assert found[1].message.content == "", "text deleted since then is not shown"
    assert page(ana, talk, after=5).events == []


def test_a_cursor_outside_the_visible_log_requires_resync(ana: User) -> None:
    ben = person("ben")
    team = group(ana, name="Team")
    say(team, ana)
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    joined_at = head(team) - 1
    assert page(ben, team, after=joined_at - 1).events[0].sequence == joined_at
    for after in (0, joined_at - 2, head(team) + 1, 2**53):
        with pytest.raises(ResyncRequired):
            page(ben, team, after=after)


def test_strangers_and_former_members_get_nothing(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    team = group(ana, ben)
    services.leave(user_id=ben.id, conversation_id=team.id)
    for user in (ben, cleo):
        with pytest.raises(NotFound):
            page(user, team)
        found = missed(user, team=(team, 1))
        assert (found.heads, found.events, found.resync) == ({}, {}, [])


def test_an_edit_of_a_message_before_joining_comes_as_event_hidden(ana: User) -> None:
    ben = person("ben")
    team = group(ana, name="Team")
    old = say(team, ana, "old secret")
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    start = head(team)
    edit_message(user_id=ana.id, message_id=old.message_id, content="new secret")
    say(team, ana, "for all")
    seen = page(ben, team, after=start).events
    assert kinds(seen) == ["event_hidden", "new_message"]
    assert [frame.sequence for frame in seen] == [start + 1, start + 2]
    assert kinds(page(ana, team, after=start).events) == ["message_updated", "new_message"]
    assert kinds(missed(ben, team=(team, start)).events[str(team.id)]) == ["event_hidden", "new_message"]


def test_heads_cover_exactly_the_users_conversations(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    talk, team = direct(ana, ben), group(cleo, ana)
    direct(ben, cleo)
    found = missed(ana)
    assert found.heads == {str(talk.id): head(talk), str(team.id): head(team)}
    assert not found.events


def test_each_conversation_gives_the_events_after_its_cursor(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    talk, team = direct(ana, ben), group(cleo, ana)
    at = head(talk), head(team)
    say(talk, ben, "one")
    say(talk, ben, "two")
    say(team, cleo, "three")
    found = missed(ana, talk=(talk, at[0]), team=(team, at[1]))
    assert [frame.message.content for frame in found.events[str(talk.id)]] == ["one", "two"]
    assert [frame.message.content for frame in found.events[str(team.id)]] == ["three"]
    assert not missed(ana, talk=(talk, head(talk))).events


def test_a_cursor_too_far_behind_or_ahead_means_resync(ana: User, limits: Callable[..., None]) -> None:
    limits(catch_up_events=3)
    ben = person("ben")
    talk = direct(ana, ben)
    for _ in range(4):
        say(talk, ben)
    assert missed(ana, talk=(talk, head(talk) - 3)).resync == []
    assert missed(ana, talk=(talk, head(talk) - 4)).resync == [str(talk.id)]
    assert missed(ana, talk=(talk, head(talk) + 1)).resync == [str(talk.id)]


def test_events_over_the_limit_remain_with_their_cursor(ana: User, limits: Callable[..., None]) -> None:
    limits(catch_up_events=3, catch_up_events_total=4)
    talks = [direct(ana, other) for other in people("ben", "cleo", "dan")]
    for talk in talks:
        for _ in range(2):
            say(talk, ana)
    cursors = {talk.id: 1 for talk in talks}
    received: dict[str, list[int]] = {str(talk.id): [] for talk in talks}
    for answer in (4, 2):
        found = catch_up.missed(ana.id, cursors, None)
        for id, events in found.events.items():
            received[id] += [event.sequence for event in events]
        assert sum(map(len, found.events.values())) == answer
        cursors = found.remaining
    assert cursors == {}
    assert received == {str(talk.id): [2, 3] for talk in talks}


def test_one_log_is_split_over_several_answers(ana: User) -> None:
    talk = direct(ana, person("ben"))
    for _ in range(5):
        say(talk, ana)
    cursors, received = {talk.id: 1}, []
    while cursors:
        found = catch_up.missed(ana.id, cursors, None, most=2)
        received.append([event.sequence for event in found.events[str(talk.id)]])
        cursors = found.remaining
    assert received == [[2, 3], [4, 5], [6]]


def test_a_cursor_of_a_foreign_conversation_gives_nothing(ana: User) -> None:
    found = catch_up.missed(ana.id, {uuid.uuid4(): 0, direct(*people("ben", "cleo")).id: 0}, None)
    assert (found.heads, found.events, found.resync, found.remaining) == ({}, {}, [], {})


def test_missed_receipts_come_once_per_user_with_the_newest_position(ana: User) -> None:
    ben = person("ben")
    talk = direct(ana, ben)
    before = timezone.now()
    for _ in range(3):
        read(talk, ben, say(talk, ana).sequence)
    found = missed(ana, since=before, talk=(talk, 1)).receipts
    assert sorted((tag_of(type(frame)), frame.up_to_sequence) for frame in found) == [
        ("message_delivered", 4),
        ("message_read", 4),
    ]
    after = timezone.now() + catch_up.RECEIPTS_OVERLAP
    assert missed(ana, since=after, talk=(talk, 1)).server_time < after
    mine = missed(ben, since=before, talk=(talk, 1)).receipts
    assert [frame.unread_count for frame in mine if tag_of(type(frame)) == "conversation_read"] == [0]


def test_receipts_of_former_members_are_left_out(ana: User) -> None:
    ben, cleo = people("ben", "cleo")
    team = group(ana, ben)
    before = timezone.now()
    read(team, ben)
    services.leave(user_id=ben.id, conversation_id=team.id)
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[cleo.id])
    for viewer in (ana, cleo):
        assert missed(viewer, since=before, team=(team, head(team))).receipts == []
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    read(team, ben)
    found = missed(cleo, since=before, team=(team, head(team))).receipts
    assert [frame.up_to_sequence for frame in found] == [head(team)] * 2


@pytest.mark.parametrize("year", [1, 9999])
def test_since_accepts_the_first_and_last_year(year: int, ana: User) -> None:
    talk = direct(ana, person("ben"))
    found = missed(ana, since=datetime.datetime(year, 1, 1, tzinfo=datetime.UTC), talk=(talk, 1))
    assert found.receipts == []


def test_the_number_of_queries_does_not_grow_with_missed_events(ana: User, django_assert_max_num_queries: Any) -> None:
    ben = person("ben")
    teams = [group(ana, ben, name=str(number)) for number in range(6)]
    for round in range(5):
        for team in teams:
            services.update_conversation(user_id=ana.id, conversation_id=team.id, changes={"name": f"round {round}"})
            say(team, ana)
    cursors = {f"c{number}": (team, 1) for number, team in enumerate(teams)}
    with django_assert_max_num_queries(14):
        found = missed(ben, since=timezone.now(), **cursors)
    assert sum(map(len, found.events.values())) == 6 * (1 + 5 * 3)
    with django_assert_max_num_queries(14):
        page(ben, teams[0])
