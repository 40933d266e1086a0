"""What is announced of an event at once is what the log says of it later."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from conversations.models import Conversation
from conversations.socket import ConversationLog
from messaging.services.change import delete_message_for_everyone, edit_message
from messaging.services.send import send_messages
from realtime.fanout.door import door
from realtime.wire import items
from tests.conversations.team import Team
from tests.making import direct, draft, group, people, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def announced(django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets something happen, and returns what was announced of it, caught at the door."""
    said: list[Any] = []
    monkeypatch.setattr(door, "pass_on", said.extend)

    def happens(act: Callable[[], Any]) -> list[Any]:
        said.clear()
        with django_capture_on_commit_callbacks(execute=True):
            act()
        return [*said]

    return happens


def head(conversation: Conversation) -> int:
    return Conversation.objects.get(id=conversation.id).last_sequence


def told(events: Sequence[items.Event]) -> list[dict[str, Any]]:
    """What events say. PostgreSQL does not keep the order of the keys in metadata."""
    said = [{name: getattr(event, name) for name in items.Event.__struct_fields__} for event in events]
    for each in said:
        del each["texts"]  # the frames for single viewers, which only a rendered event has
        each["text"] = "another for each viewer" if each["text"] is None else json.loads(each["text"])
    return said


def logged(conversation: Conversation, after: int) -> list[dict[str, Any]]:
    return told(ConversationLog().read(str(conversation.id), after=after, viewers=[]))


CHANGES_OF_A_GROUP: dict[str, tuple[Callable[[Team], Any], int]] = {
    "two come, one of them again": (lambda team: team.add("owner", "stranger", "former"), 3),
    "one is removed": (lambda team: team.remove("admin", "member"), 2),
    "one leaves": (lambda team: team.leave("member"), 2),
    "the owner leaves": (lambda team: team.leave("owner"), 3),
    "one is muted": (lambda team: team.update("admin", "member", can_send_messages=False), 1),
    "one is made an admin": (lambda team: team.update("owner", "member", role="admin"), 2),
    "the group is handed over": (lambda team: team.update("owner", "member", role="owner"), 3),
    "the group is renamed": (lambda team: team.rename("admin"), 2),
}


@pytest.mark.parametrize("change", CHANGES_OF_A_GROUP)
def test_changes_of_a_group(change: str, announced: Any) -> None:
    act, count = CHANGES_OF_A_GROUP[change]
    team = Team()
    before = head(team.group)
    events = announced(lambda: act(team))
    assert len(events) == count
    assert told(events) == logged(team.group, before)


def test_a_conversation_that_begins(announced: Any) -> None:
    ana, ben = people("ana", "ben")
    made: list[Conversation] = []
    [began] = announced(lambda: made.append(direct(ana, ben)))
    assert told([began]) == logged(made[0], 0)
    assert began.joins == {str(ana.id): 1, str(ben.id): 1}
    events = announced(lambda: made.append(group(ana, ben)))
    assert told(events) == logged(made[1], 0)


def test_messages_and_their_changes(announced: Any) -> None:
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
        assert told(events) == logged(talk, before)
    assert announced(lambda: send_messages(drafts)) == [], "a repetition is no news"
