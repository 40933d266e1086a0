"""An event announced at commit equals the same event read from the log later."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from conversations.log_reader import ConversationLog
from conversations.models import Conversation
from messaging.services.change import delete_message_for_everyone, edit_message
from messaging.services.send import send_messages
from realtime.fanout.door import door
from realtime.wire.announcements import EventAnnouncement
from tests.conversations.team import Team
from tests.making import direct, draft, group, people, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def announced(django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs an act and returns the events announced through the door."""
    said: list[Any] = []
    monkeypatch.setattr(door, "publish", said.extend)

    def happens(act: Callable[[], Any]) -> list[Any]:
        said.clear()
        with django_capture_on_commit_callbacks(execute=True):
            act()
        return [*said]

    return happens


def head(conversation: Conversation) -> int:
    return Conversation.objects.get(id=conversation.id).last_sequence


def fields_of(events: Sequence[EventAnnouncement]) -> list[dict[str, Any]]:
    """The fields of events. PostgreSQL does not keep the order of the keys in metadata."""
    said = [{name: getattr(event, name) for name in EventAnnouncement.__struct_fields__} for event in events]
    for each in said:
        del each["texts"]  # the frames for single viewers, which only a rendered event has
        each["text"] = "rendered per viewer" if each["text"] is None else json.loads(each["text"])
    return said


def logged(conversation: Conversation, after: int) -> list[dict[str, Any]]:
    return fields_of(ConversationLog().read(str(conversation.id), after=after, viewers=[]))


CHANGES_OF_A_GROUP: dict[str, tuple[Callable[[Team], Any], int]] = {
    "two added, one of them again": (lambda team: team.add("owner", "stranger", "former"), 3),
    "a member is removed": (lambda team: team.remove("admin", "member"), 2),
    "a member leaves": (lambda team: team.leave("member"), 2),
    "the owner leaves": (lambda team: team.leave("owner"), 3),
    "a member is muted": (lambda team: team.update("admin", "member", can_send_messages=False), 1),
    "a member becomes admin": (lambda team: team.update("owner", "member", role="admin"), 2),
    "ownership is handed over": (lambda team: team.update("owner", "member", role="owner"), 3),
    "the group is renamed": (lambda team: team.rename("admin"), 2),
}


@pytest.mark.parametrize("change", CHANGES_OF_A_GROUP)
def test_a_group_change_announces_what_it_logs(change: str, announced: Any) -> None:
    act, count = CHANGES_OF_A_GROUP[change]
    team = Team()
    before = head(team.group)
    events = announced(lambda: act(team))
    assert len(events) == count
    assert fields_of(events) == logged(team.group, before)


def test_a_new_conversation_announces_what_it_logs(announced: Any) -> None:
    ana, ben = people("ana", "ben")
    made: list[Conversation] = []
    [began] = announced(lambda: made.append(direct(ana, ben)))
    assert fields_of([began]) == logged(made[0], 0)
    assert began.joins == {str(ana.id): 1, str(ben.id): 1}
    events = announced(lambda: made.append(group(ana, ben)))
    assert fields_of(events) == logged(made[1], 0)


def test_messages_and_changes_announce_what_they_log(announced: Any) -> None:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    first = say(talk, ana, "one", metadata={"a": [1, None]})
    drafts = [
        draft(talk, ben, "two", reply_to_id=first.message_id),
        draft(talk, ana, "", message_type="location", metadata={"latitude": 1.5, "longitude": 2}),
    ]
    for act in (
        lambda: send_messages(drafts),
        lambda: edit_message(user_id=ana.id, message_id=first.message_id, content="ONE"),
        lambda: delete_message_for_everyone(user_id=ana.id, message_id=first.message_id),
    ):
        before = head(talk)
        events = announced(act)
        assert events
        assert fields_of(events) == logged(talk, before)
    assert announced(lambda: send_messages(drafts)) == [], "a repeated send announces nothing"
