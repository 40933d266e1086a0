"""Rights in a group, by role."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from conversations import services
from conversations.errors import NotAParticipant
from conversations.selectors import participant_of, permissions
from messaging.integrity import faults
from realtime.wire.errors import Forbidden, NotFound
from tests.conversations.team import Team
from tests.making import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Any:
    team = Team()
    yield team
    assert list(faults()) == []


EVERY_ACT: dict[str, tuple[Callable[[Team, str], Any], set[str]]] = {
    "add": (lambda team, actor: team.add(actor, "stranger"), {"owner", "admin"}),
    "remove a member": (lambda team, actor: team.remove(actor, "other"), {"owner", "admin"}),
    "remove an admin": (lambda team, actor: team.remove(actor, "admin"), {"owner", "admin"}),  # or itself
    "remove the owner": (lambda team, actor: team.remove(actor, "owner"), {"owner"}),  # only itself
    "rename": (lambda team, actor: team.rename(actor), {"owner", "admin"}),
    "make an admin": (lambda team, actor: team.update(actor, "other", role="admin"), {"owner"}),
    "demote an admin": (lambda team, actor: team.update(actor, "admin", role="member"), {"owner"}),
    "hand over": (lambda team, actor: team.update(actor, "other", role="owner"), {"owner"}),
    "mute a member": (lambda team, actor: team.update(actor, "other", can_send_messages=False), {"owner", "admin"}),
    "mute an admin": (lambda team, actor: team.update(actor, "admin", can_send_messages=False), {"owner"}),
    "mute the owner": (lambda team, actor: team.update(actor, "owner", can_send_messages=False), set()),
    "leave": (lambda team, actor: team.leave(actor), {"owner", "admin", "member"}),
}


@pytest.mark.parametrize("actor", ["owner", "admin", "member"])
@pytest.mark.parametrize("act", EVERY_ACT)
def test_each_act_is_allowed_exactly_to_its_roles(act: str, actor: str, team: Team) -> None:
    do, allowed = EVERY_ACT[act]
    before = team.log()
    if actor in allowed:
        do(team, actor)
        assert len(team.log()) > len(before)
    else:
        with pytest.raises(Forbidden):
            do(team, actor)
        assert team.log() == before


@pytest.mark.parametrize("act", EVERY_ACT)
def test_a_stranger_gets_not_found(act: str, team: Team) -> None:
    do, _ = EVERY_ACT[act]
    with pytest.raises(NotFound):
        do(team, "stranger")


def test_permissions_list_what_the_services_allow(team: Team) -> None:
    def permissions_of(name: str) -> set[str]:
        return set(permissions(participant_of(team.id(name), team.group.id)))

    moderate = {"add_participants", "remove_participants", "update_conversation"}
    assert permissions_of("owner") == {"send_messages", "leave", "change_roles", *moderate}
    assert permissions_of("admin") == {"send_messages", "leave", *moderate}
    assert permissions_of("member") == {"send_messages", "leave"}
    team.update("admin", "member", can_send_messages=False)
    assert permissions_of("member") == {"leave"}


def test_an_admin_cannot_remove_or_mute_another_admin(team: Team) -> None:
    team.update("owner", "other", role="admin")
    for act in (lambda: team.remove("admin", "other"), lambda: team.update("admin", "other", can_send_messages=False)):
        with pytest.raises(Forbidden):
            act()
    team.remove("owner", "other")
    assert team.role("other") is None


def test_changes_to_non_participants_are_refused_as_such(team: Team) -> None:
    for name in ("stranger", "former"):
        with pytest.raises(NotAParticipant):
            team.remove("owner", name)
        with pytest.raises(NotAParticipant):
            team.update("owner", name, role="admin")


def test_an_unknown_conversation_is_not_found() -> None:
    with pytest.raises(NotFound):
        services.leave(user_id=person("ana").id, conversation_id=uuid.uuid4())
