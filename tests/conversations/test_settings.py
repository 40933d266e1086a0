"""Settings of a group for all its participants: rights to change them, and one event per change."""

import pytest

from conversations import services
from conversations.models import Conversation, Event
from conversations.selectors import conversation_body
from messaging.integrity import faults
from realtime.wire.errors import Forbidden, NotFound
from tests.conversations.team import Team
from tests.making import direct

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return Team()


def switch(team: Team, actor: str, *, on: bool) -> None:
    services.update_conversation(**team.here(actor), changes={"notifications_enabled": on})


def logged(conversation: Conversation) -> list[str]:
    return list(Event.objects.filter(conversation=conversation).order_by("sequence").values_list("kind", flat=True))


def test_notifications_are_on_until_switched_off(team: Team) -> None:
    before = logged(team.group)
    assert conversation_body(team.id("member"), team.group.id).settings.notifications_enabled
    switch(team, "admin", on=False)
    for viewer in ("owner", "member"):
        assert not conversation_body(team.id(viewer), team.group.id).settings.notifications_enabled
    switch(team, "owner", on=False)
    assert logged(team.group) == [*before, "conversation_updated"], "one event and no system message"
    switch(team, "owner", on=True)
    assert conversation_body(team.id("member"), team.group.id).settings.notifications_enabled
    assert list(faults()) == []


@pytest.mark.parametrize(("actor", "refusal"), [("member", Forbidden), ("stranger", NotFound)])
def test_members_and_strangers_cannot_switch_notifications(team: Team, actor: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        switch(team, actor, on=False)
    assert conversation_body(team.id("owner"), team.group.id).settings.notifications_enabled


def test_a_direct_conversation_has_no_settings_to_change(team: Team) -> None:
    talk = direct(team.people["owner"], team.people["member"])
    with pytest.raises(Forbidden):
        services.update_conversation(
            user_id=team.id("owner"), conversation_id=talk.id, changes={"notifications_enabled": False}
        )
    assert conversation_body(team.id("owner"), talk.id).settings.notifications_enabled
