"""A participant's own settings in a conversation: mute, notification level, pin, archive."""

import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from conversations import selectors
from conversations.catch_up import events_page
from conversations.frames import EventsQuery, MyPlaceUpdated
from conversations.models import Conversation, Event, Participant
from conversations.services import add_participants, leave, update_own_settings
from realtime.wire.errors import NotFound
from realtime.wire.frames import EventHidden
from tests.making import group, participant, people

pytestmark = pytest.mark.django_db

TOMORROW = timezone.now() + datetime.timedelta(days=1)


@pytest.fixture
def ana() -> User:
    return people("ana")[0]


@pytest.fixture
def ben() -> User:
    return people("ben")[0]


@pytest.fixture
def team(ana: User, ben: User) -> Conversation:
    return group(ana, ben, name="Team")


def sets(user: User, conversation: Conversation, **changes: Any) -> Participant:
    return update_own_settings(user_id=user.id, conversation_id=conversation.id, changes=changes)


def newest_event(user: User, conversation: Conversation) -> Any:
    return events_page(user.id, conversation.id, EventsQuery()).events[-1]


def test_an_update_changes_only_the_given_settings(ana: User, team: Conversation) -> None:
    sets(ana, team, muted_until=TOMORROW, pinned=True)
    sets(ana, team, notification_level="mentions", archived=True)
    me = selectors.conversation_body(ana.id, team.id).me
    assert (me.muted_until, me.pinned, me.archived, me.notification_level) == (TOMORROW, True, True, "mentions")
    sets(ana, team, muted_until=None, archived=False)
    me = selectors.conversation_body(ana.id, team.id).me
    assert (me.muted_until, me.pinned, me.archived, me.notification_level) == (None, True, False, "mentions")


def test_own_settings_are_hidden_from_others(ana: User, ben: User, team: Conversation) -> None:
    sets(ana, team, pinned=True)
    assert not participant(team, ben).pinned
    mine, theirs = newest_event(ana, team), newest_event(ben, team)
    assert isinstance(mine, MyPlaceUpdated)
    assert mine.me.pinned
    assert isinstance(theirs, EventHidden)
    assert theirs.sequence == mine.sequence


def test_a_change_takes_one_sequence_and_no_change_takes_none(ana: User, team: Conversation) -> None:
    before = Conversation.objects.get(id=team.id).last_sequence
    sets(ana, team, pinned=True, archived=True)
    sets(ana, team, pinned=True)
    sets(ana, team)
    assert Conversation.objects.get(id=team.id).last_sequence == before + 1
    event = Event.objects.get(conversation=team, sequence=before + 1)
    assert (event.kind, event.user_id, event.actor_id) == ("my_place_updated", ana.id, ana.id)


def test_a_mute_time_in_the_past_means_not_muted(ana: User, team: Conversation) -> None:
    sets(ana, team, muted_until=TOMORROW)
    sets(ana, team, muted_until=timezone.now() - datetime.timedelta(seconds=1))
    assert participant(team, ana).muted_until is None


def test_own_settings_are_no_activity_of_the_conversation(ana: User, ben: User, team: Conversation) -> None:
    before = Conversation.objects.get(id=team.id)
    sets(ben, team, pinned=True)
    after = Conversation.objects.get(id=team.id)
    assert (after.last_activity_at, after.message_count) == (before.last_activity_at, before.message_count)
    assert selectors.conversation_body(ana.id, team.id).unread_count == 0


def test_a_readded_participant_has_default_settings(ana: User, ben: User, team: Conversation) -> None:
    sets(ben, team, muted_until=TOMORROW, notification_level="none", pinned=True, archived=True)
    leave(user_id=ben.id, conversation_id=team.id)
    add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[ben.id])
    again = participant(team, ben)
    assert (again.muted_until, again.notification_level, again.pinned, again.archived) == (None, "all", False, False)


def test_strangers_and_former_members_cannot_set_anything(ana: User, ben: User, team: Conversation) -> None:
    (cleo,) = people("cleo")
    for conversation_id in (team.id, uuid4()):
        with pytest.raises(NotFound):
            update_own_settings(user_id=cleo.id, conversation_id=conversation_id, changes={"pinned": True})
    leave(user_id=ben.id, conversation_id=team.id)
    with pytest.raises(NotFound):
        sets(ben, team, pinned=True)


def test_an_event_kind_of_a_later_release_is_hidden(ana: User, team: Conversation) -> None:
    sets(ana, team, pinned=True)
    Event.objects.filter(kind="my_place_updated").update(kind="of_a_later_release")
    shown = newest_event(ana, team)
    assert isinstance(shown, EventHidden)
    assert shown.sequence == Conversation.objects.get(id=team.id).last_sequence
