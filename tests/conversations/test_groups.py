"""Groups: who may do what, who comes and goes, and what the log says about it."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from conversations import services
from conversations.errors import ConversationFull
from conversations.models import Conversation, Participant
from conversations.selectors import conversation_body, permissions, place_of
from messaging.integrity import faults
from messaging.models import Message
from realtime.errors import Forbidden, Invalid
from tests.conversations.team import Team
from tests.making import group, people, person, place, read, say, unread

pytestmark = pytest.mark.django_db
Role = Participant.Role


@pytest.fixture
def team() -> Any:
    team = Team()
    yield team
    assert list(faults()) == []


def test_the_maker_owns_it_and_everybody_named_is_in_once() -> None:
    ana, ben = people("ana", "ben")
    made = services.create_group(user=ana, participant_ids=[ben.id, ben.id, ana.id], name="  Us ")
    assert (made.name, made.participant_count, made.created_by) == ("Us", 2, ana)
    assert place(made, ana).role == Role.OWNER
    assert place(made, ben).role == Role.MEMBER
    assert list(faults()) == []


def test_a_group_of_one_is_a_group() -> None:
    assert group(person("ana")).participant_count == 1


def test_nobody_unknown_or_deactivated_is_put_in() -> None:
    ana, gone = person("ana"), person("gone", is_active=False)
    for unknown in (gone.id, uuid.uuid4()):
        with pytest.raises(Invalid) as refused:
            services.create_group(user=ana, participant_ids=[unknown])
        assert set(refused.value.fields or ()) == {"participant_ids"}
    assert not Conversation.objects.exists()


def test_a_full_group_takes_nobody(team: Team, limits: Callable[..., None]) -> None:
    limits(group_participants=4)
    with pytest.raises(ConversationFull):
        team.add("owner", "stranger")
    assert team.add("owner", "member") == [], "who is in already takes no room"
    with pytest.raises(ConversationFull):
        group(team.people["owner"], *people("a", "b", "c", "d"))


# --- Ownership ----------------------------------------------------------------------------


def test_handing_over_leaves_one_owner(team: Team) -> None:
    team.update("owner", "member", role="owner")
    assert (team.role("owner"), team.role("member")) == ("admin", "owner")
    assert Participant.objects.filter(conversation=team.group, role=Role.OWNER).count() == 1


def test_the_owner_cannot_just_stop(team: Team) -> None:
    with pytest.raises(Forbidden):
        team.update("owner", "owner", role="member")


def test_the_longest_standing_admin_inherits_then_the_longest_standing_member(team: Team) -> None:
    team.leave("owner")
    assert team.role("admin") == "owner"
    team.leave("admin")
    assert team.role("member") == "owner"
    team.leave("member")
    team.leave("other")
    team.group.refresh_from_db()
    assert team.group.participant_count == 0


@pytest.mark.parametrize("way", ["inherited", "handed over"])
def test_an_owner_can_always_write(way: str, team: Team) -> None:
    team.update("owner", "admin", can_send_messages=False)
    if way == "inherited":
        team.leave("owner")
    else:
        team.update("owner", "admin", role="owner")
    assert "send_messages" in permissions(place_of(team.id("admin"), team.group.id))


def test_who_comes_sees_the_history_from_then_on_and_has_nothing_unread(team: Team) -> None:
    say(team.group, team.people["owner"], "before")
    (there,) = team.add("owner", "stranger")
    team.group.refresh_from_db()
    assert there.history_from == team.group.last_sequence - 1, "their own coming is the first that they see"
    assert unread(team.group, team.people["stranger"]) == 0
    say(team.group, team.people["owner"], "after")
    assert unread(team.group, team.people["stranger"]) == 1


def test_who_comes_again_begins_again_as_a_member(team: Team) -> None:
    admin = team.people["admin"]
    say(team.group, admin)
    team.update("owner", "admin", can_send_messages=False)
    team.remove("owner", "admin")
    say(team.group, team.people["owner"], "meanwhile")
    (there,) = team.add("owner", "admin")
    assert (there.role, there.can_send_messages, there.left_at) == ("member", True, None)
    assert unread(team.group, admin) == 0
    say(team.group, team.people["owner"], "hello again")
    say(team.group, admin, "thanks")
    assert unread(team.group, admin) == 1
    read(team.group, admin)
    assert unread(team.group, admin) == 0
    assert Participant.objects.filter(conversation=team.group, user=admin).count() == 1


def test_adding_who_is_in_changes_nothing(team: Team) -> None:
    before = team.log()
    assert team.add("owner", "admin", "member") == []
    assert team.log() == before
    assert team.role("admin") == "admin"


def test_everything_is_in_the_log_and_in_the_history(team: Team) -> None:
    before = len(team.log()), len(team.notes())
    team.rename("admin", name="A", description="B", avatar_url="https://example.org/x.png")
    team.rename("admin", name="A", description="C")
    team.add("owner", "stranger")
    team.update("owner", "member", role="owner")
    team.remove("member", "stranger")
    team.leave("other")
    assert [kind for kind in team.log()[before[0] :] if kind != "new_message"] == [
        "conversation_updated",
        "conversation_updated",
        "participant_added",
        "participant_updated",
        "participant_updated",
        "participant_removed",
        "participant_removed",
    ]
    assert team.notes()[before[1] :] == [
        "conversation_renamed",
        "participants_added",
        "role_changed",
        "participant_removed",
        "participant_left",
    ]


def test_what_changes_nothing_writes_nothing(team: Team) -> None:
    before = team.log()
    team.rename("owner", name=" Team ")
    team.update("owner", "admin", role="admin", can_send_messages=True)
    team.update("owner", "member")
    assert team.log() == before


def test_a_refused_half_undoes_the_other(team: Team) -> None:
    """Handing over and muting the new owner in one request: the second is refused, so is the first."""
    with pytest.raises(Forbidden):
        team.update("owner", "member", role="owner", can_send_messages=False)
    assert (team.role("owner"), team.role("member")) == ("owner", "member")


def test_system_messages_name_the_actor_and_do_not_count_as_unread(team: Team) -> None:
    member = team.people["member"]
    before = unread(team.group, member)
    team.add("admin", "stranger")
    note = Message.objects.filter(conversation=team.group, message_type="system").latest("sequence")
    assert note.sender is None
    assert note.metadata["actor_user_id"] == str(team.id("admin"))
    assert note.metadata["user_ids"] == [str(team.id("stranger"))]
    assert unread(team.group, member) == before


def test_the_name_of_a_nameless_group_is_its_people() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    made = group(ana, ben, cleo)
    assert conversation_body(ana.id, made.id).display_name == "ben, cleo"
    assert conversation_body(ana.id, group(ana).id).display_name == "Empty group"
