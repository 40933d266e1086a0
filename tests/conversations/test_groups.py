"""Groups: membership, ownership, and what the log and the history record of them."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import pre_save
from django.test.utils import CaptureQueriesContext

from conversations import services
from conversations.errors import ConversationFull
from conversations.models import Conversation, Participant
from conversations.selectors import conversation_body, participant_of, permissions
from messaging.integrity import faults
from messaging.models import Message
from realtime.wire.errors import Forbidden, Invalid
from tests.conversations.team import Team
from tests.making import at_once, group, participant, people, person, read, say, unread

pytestmark = pytest.mark.django_db
Role = Participant.Role


@pytest.fixture
def team() -> Any:
    team = Team()
    yield team
    assert list(faults()) == []


def test_the_creator_owns_the_group_and_each_named_user_joins_once() -> None:
    ana, ben = people("ana", "ben")
    made = services.create_group(user=ana, participant_ids=[ben.id, ben.id, ana.id], name="  Us ")
    assert (made.name, made.participant_count, made.created_by) == ("Us", 2, ana)
    assert participant(made, ana).role == Role.OWNER
    assert participant(made, ben).role == Role.MEMBER
    assert list(faults()) == []


@pytest.mark.parametrize("name", ["a\nb", "\u202egroup", "\u200b", "\u3164"])
def test_a_group_name_that_misleads_or_shows_nothing_is_refused(name: str, team: Team) -> None:
    with pytest.raises(Invalid, match="name: "):
        services.create_group(user=person("zoe"), participant_ids=[], name=name)
    with pytest.raises(Invalid, match="name: "):
        services.update_conversation(**team.here("owner"), changes={"name": name})


def test_a_group_may_have_one_participant() -> None:
    assert group(person("ana")).participant_count == 1


def test_creating_with_an_unknown_or_deactivated_user_is_refused() -> None:
    ana, gone = person("ana"), person("gone", is_active=False)
    for unknown in (gone.id, uuid.uuid4()):
        with pytest.raises(Invalid) as refused:
            services.create_group(user=ana, participant_ids=[unknown])
        assert set(refused.value.fields or ()) == {"participant_ids"}
    assert not Conversation.objects.exists()


def test_adding_an_unknown_user_is_refused_as_a_whole(team: Team) -> None:
    with pytest.raises(Invalid) as refused:
        services.add_participants(**team.here("owner"), user_ids=[team.id("stranger"), uuid.uuid4()])
    assert set(refused.value.fields or ()) == {"user_ids"}
    assert not Participant.objects.filter(conversation=team.group, user=team.people["stranger"]).exists()


def test_a_full_group_refuses_new_participants(team: Team, limits: Callable[..., None]) -> None:
    limits(group_participants=4)
    with pytest.raises(ConversationFull):
        team.add("owner", "stranger")
    assert team.add("owner", "member") == [], "a present member needs no free slot"
    with pytest.raises(ConversationFull):
        group(team.people["owner"], *people("a", "b", "c", "d"))


# --- Ownership ----------------------------------------------------------------------------


def test_handing_over_keeps_exactly_one_owner(team: Team) -> None:
    team.update("owner", "member", role="owner")
    assert (team.role("owner"), team.role("member")) == ("admin", "owner")
    assert Participant.objects.filter(conversation=team.group, role=Role.OWNER).count() == 1


def test_the_owner_cannot_step_down_without_a_successor(team: Team) -> None:
    with pytest.raises(Forbidden):
        team.update("owner", "owner", role="member")


def test_the_longest_standing_admin_inherits_and_then_members(team: Team) -> None:
    team.leave("owner")
    assert team.role("admin") == "owner"
    team.leave("admin")
    assert team.role("member") == "owner"
    team.leave("member")
    team.leave("other")
    team.group.refresh_from_db()
    assert team.group.participant_count == 0


def test_an_admin_inherits_before_longer_standing_members(team: Team) -> None:
    team.update("owner", "admin", role="member")
    team.update("owner", "other", role="admin")
    team.leave("owner")
    assert (team.role("admin"), team.role("other")) == ("member", "owner")


def test_a_readded_participant_has_the_shortest_standing(team: Team) -> None:
    team.remove("owner", "admin")
    team.add("owner", "admin")
    team.leave("owner")
    assert team.role("member") == "owner"


@pytest.mark.parametrize("way", ["inherited", "handed over"])
def test_a_muted_admin_who_becomes_owner_may_write(way: str, team: Team) -> None:
    team.update("owner", "admin", can_send_messages=False)
    if way == "inherited":
        team.leave("owner")
    else:
        team.update("owner", "admin", role="owner")
    assert "send_messages" in permissions(participant_of(team.id("admin"), team.group.id))


def test_a_new_participant_sees_later_history_and_has_nothing_unread(team: Team) -> None:
    say(team.group, team.people["owner"], "before")
    (participant,) = team.add("owner", "stranger")
    team.group.refresh_from_db()
    assert participant.history_from == team.group.last_sequence - 1, "their own joining is the first event they see"
    assert participant.last_read_sequence == participant.last_delivered_sequence == participant.history_from - 1
    assert unread(team.group, team.people["stranger"]) == 0
    say(team.group, team.people["owner"], "after")
    assert unread(team.group, team.people["stranger"]) == 1


def test_a_readded_participant_starts_as_a_plain_member(team: Team) -> None:
    admin = team.people["admin"]
    say(team.group, admin)
    team.update("owner", "admin", can_send_messages=False)
    team.remove("owner", "admin")
    say(team.group, team.people["owner"], "meanwhile")
    (participant,) = team.add("owner", "admin")
    assert (participant.role, participant.can_send_messages, participant.left_at) == ("member", True, None)
    assert unread(team.group, admin) == 0
    say(team.group, team.people["owner"], "hello again")
    say(team.group, admin, "thanks")
    assert unread(team.group, admin) == 1
    read(team.group, admin)
    assert unread(team.group, admin) == 0
    assert Participant.objects.filter(conversation=team.group, user=admin).count() == 1


def test_adding_a_present_participant_changes_nothing(team: Team) -> None:
    before = team.log()
    assert team.add("owner", "admin", "member") == []
    assert team.log() == before
    assert team.role("admin") == "admin"


def test_group_changes_are_in_the_log_and_in_the_history(team: Team) -> None:
    before = len(team.log()), len(team.notes())
    team.rename("admin", name="A", description="B", avatar_url="https://example.org/x.png")
    team.rename("admin", name="A", description="C")
    team.add("owner", "stranger")
    assert team.update("owner", "member", role="owner").role == "owner"
    team.remove("member", "stranger")
    team.leave("other")
    assert [event for event in team.log()[before[0] :] if event[0] != "new_message"] == [
        ("conversation_updated", "admin", None),
        ("conversation_updated", "admin", None),
        ("participant_added", "owner", "stranger"),
        ("participant_updated", "owner", "owner"),
        ("participant_updated", "owner", "member"),
        ("participant_removed", "member", "stranger"),
        ("participant_removed", "other", "other"),
    ]
    assert {event for event in team.log()[before[0] :] if event[0] == "new_message"} == {
        ("new_message", name, None) for name in ("admin", "owner", "member", "other")
    }

    def note(event: str, actor: str, *others: str, **more: Any) -> dict[str, Any]:
        if others:
            more |= {"user_ids": [str(team.id(name)) for name in others], "user_count": len(others)}
        return {"event": event, "actor_user_id": str(team.id(actor)), **more}

    assert team.notes()[before[1] :] == [
        note("conversation_renamed", "admin", name="A"),
        note("participants_added", "owner", "stranger"),
        note("role_changed", "owner", "member"),
        note("participant_removed", "member", "stranger"),
        note("participant_left", "other", "other"),
    ]


def test_an_update_to_the_same_values_writes_nothing(team: Team) -> None:
    before = team.log()
    team.rename("owner", name=" Team ")
    team.update("owner", "admin", role="admin", can_send_messages=True)
    team.update("owner", "member")
    assert team.log() == before


def test_a_partly_refused_update_is_undone(team: Team) -> None:
    """Hand over and mute the new owner in one request: muting is refused, so the handover is undone."""
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
    assert unread(team.group, member) == before


def test_a_system_message_names_fifty_people_at_most_and_counts_all() -> None:
    made = group(person("ana"), *people(*(f"other{number}" for number in range(52))))
    note = Message.objects.get(conversation=made)
    assert (len(note.metadata["user_ids"]), note.metadata["user_count"]) == (50, 52)


def test_adding_many_takes_as_many_queries_as_adding_one(team: Team) -> None:
    others = people(*(f"other{number}" for number in range(6)))
    counts = []
    for coming in (others[:1], others[1:]):
        with CaptureQueriesContext(connection) as queries:
            services.add_participants(**team.here("owner"), user_ids=[other.id for other in coming])
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    "act",
    [
        lambda team: team.remove("owner", "member"),
        lambda team: team.leave("member"),
        lambda team: team.update("owner", "member", can_send_messages=False),
    ],
    ids=["removed", "left", "muted"],
)
def test_a_read_position_written_meanwhile_is_kept(act: Callable[[Team], Any], team: Team) -> None:
    """Receipts take no lock on the conversation: a position may change between reading a participant and writing it."""
    here = {"conversation": team.group, "user": team.people["member"]}

    def meanwhile(sender: Any, **_: Any) -> None:
        Participant.objects.filter(**here).update(last_read_sequence=2, last_delivered_sequence=2)

    pre_save.connect(meanwhile, sender=Participant)
    try:
        act(team)
    finally:
        pre_save.disconnect(meanwhile, sender=Participant)
    assert participant(team.group, team.people["member"]).last_read_sequence == 2


# --- Concurrency --------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_concurrent_additions_add_a_user_once(team: Team) -> None:
    before = team.log()
    results = at_once([lambda: team.add("owner", "stranger"), lambda: team.add("admin", "stranger")] * 2)
    assert sorted(len(added) for added in results) == [0, 0, 0, 1]
    assert [kind for kind, *_ in team.log()[len(before) :]] == ["participant_added", "new_message"]


@pytest.mark.django_db(transaction=True)
def test_concurrent_leaving_and_removal_is_logged_once(team: Team) -> None:
    before = team.log()
    acts = [
        lambda: team.remove("owner", "member"),
        lambda: team.remove("admin", "member"),
        lambda: team.leave("member"),
    ]
    results = at_once(acts)
    assert [result for result in results if result is None] == [None]
    assert [kind for kind, *_ in team.log()[len(before) :]] == ["participant_removed", "new_message"]


@pytest.mark.django_db(transaction=True)
def test_concurrent_handovers_leave_one_owner(team: Team) -> None:
    results = at_once(
        [lambda name=name: team.update("owner", name, role="owner") for name in ("admin", "member", "other")]
    )
    assert [type(result) for result in results if isinstance(result, Exception)] == [Forbidden] * 2
    assert Participant.objects.filter(conversation=team.group, role=Role.OWNER).count() == 1


def test_a_group_without_a_name_shows_its_participants() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    made = group(ana, ben, cleo)
    assert conversation_body(ana.id, made.id).display_name == "ben, cleo"
    assert conversation_body(ana.id, group(ana).id).display_name == "Empty group"
