"""Nothing shows messages that a person may not see: after they left, and from before they were added.

Also: unknown fields are refused and named, and the path decides what a request acts on.
"""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from conversations import services
from conversations.models import Conversation
from messaging.services import change
from tests.contracts.world import World, filled
from tests.making import read, say

SECRET = "the word is xyzzy"


class Caller:
    """The REST API as one actor."""

    def __init__(self, world: World, actor: str) -> None:
        self._client = Client(headers=world.headers(actor))

    def asks(self, method: str, path: str, body: Any = None) -> HttpResponse:
        content = json.dumps(body) if body is not None else ""
        return self._client.generic(method, f"/api/v1{path}", content, content_type="application/json")

    def gets(self, path: str) -> Any:
        """Return the answer to a GET that must succeed."""
        response = self.asks("GET", path)
        assert response.status_code == 200, response.content
        return json.loads(response.content)

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Return status and code of a request that must be refused."""
        response = self.asks(method, path, body)
        return response.status_code, json.loads(response.content)["code"]


# --- A former member --------------------------------------------------------------------


@pytest.fixture
def ex(world: World) -> Caller:
    return Caller(world, "ex_member")


def test_an_ex_member_finds_the_conversation_nowhere(world: World, ex: Caller) -> None:
    group = str(world.group.id)
    assert ex.gets("/conversations") == {"results": [], "next": None}
    assert ex.gets("/conversations?q=Trip")["results"] == []
    for path in ("", "/messages", "/messages?around=2", "/events", "/events?after=3", "/participants"):
        assert ex.refusal("GET", f"/conversations/{group}{path}") == (404, "not_found"), path


def test_sync_returns_nothing_to_an_ex_member(world: World, ex: Caller) -> None:
    cursors = {"cursors": {str(world.group.id): 3}, "since": "2020-01-01T00:00:00Z"}
    answer = json.loads(ex.asks("POST", "/sync", cursors).content)
    assert {name: answer[name] for name in ("events", "receipts", "heads", "resync")} == {
        "events": {},
        "receipts": [],
        "heads": {},
        "resync": [],
    }


def test_an_ex_member_cannot_see_messages_of_their_own_time(world: World, ex: Caller) -> None:
    for path in ("", "/receipts"):
        assert ex.refusal("GET", f"/messages/{world.message}{path}") == (404, "not_found")
    for path in ("/read", "/delivered"):
        assert ex.refusal("POST", f"/messages/{world.message}{path}") == (404, "not_found")


def test_an_ex_member_cannot_quote(world: World, ex: Caller) -> None:
    direct = json.loads(
        ex.asks("POST", "/conversations", {"type": "direct", "participant_ids": [world.id_of("stranger")]}).content
    )
    body = {"conversation_id": direct["id"], "content": "see", "reply_to_id": world.message}
    assert ex.refusal("POST", "/messages", body) == (400, "invalid")


def test_an_ex_member_does_not_see_presence(world: World, ex: Caller) -> None:
    assert ex.gets(f"/users/{world.id_of('owner')}/profile")["presence"] is None


def test_a_repeated_send_of_an_ex_member_returns_the_original(world: World) -> None:
    """A repeated send is answered for ever, but it does not show who has read the message since."""
    member, mine = Caller(world, "member"), str(uuid4())
    body = {"conversation_id": str(world.group.id), "content": "mine", "client_message_id": mine}
    sent = json.loads(member.asks("POST", "/messages", body).content)
    services.leave(user_id=world.users["member"].id, conversation_id=world.group.id)
    for name in ("owner", "admin", "read_only", "bystander", "deactivated"):
        read(world.group, world.users[name])
    again = member.asks("POST", "/messages", body)
    assert again.status_code == 200
    assert json.loads(again.content) == sent


# --- A late member ---------------------------------------------------------------


@pytest.fixture
def late(world: World) -> Caller:
    """`stranger`, added by the owner after a message with a secret."""
    world.message = str(say(world.group, world.users["member"], SECRET).message_id)
    read(world.group, world.users["bystander"])
    services.add_participants(
        user_id=world.users["owner"].id, conversation_id=world.group.id, user_ids=[world.users["stranger"].id]
    )
    say(world.group, world.users["owner"], "welcome")
    return Caller(world, "stranger")


@pytest.fixture
def start(world: World, late: Caller) -> int:
    """The history start of the late member: the first sequence that they may see."""
    return world.group.participants.get(user=world.users["stranger"]).history_from


def shown_history(late: Caller, world: World, query: str = "") -> list[int]:
    found = late.gets(f"/conversations/{world.group.id}/messages{query}")["results"]
    return [message["sequence"] for message in found]


@pytest.mark.parametrize("query", ["", "?before={start}", "?after=0", "?around={start}", "?around=2", "?before=4"])
def test_a_late_member_gets_no_earlier_history(world: World, late: Caller, start: int, query: str) -> None:
    assert all(sequence >= start for sequence in shown_history(late, world, query.format(start=start)))
    assert len(shown_history(late, world)) == 2  # the system message of the addition, and the welcome


def test_history_ends_at_the_history_start(world: World, late: Caller) -> None:
    assert late.gets(f"/conversations/{world.group.id}/messages")["has_more"] is False


def test_a_late_member_gets_no_earlier_events(world: World, late: Caller, start: int) -> None:
    path = f"/conversations/{world.group.id}/events"
    assert late.refusal("GET", f"{path}?after={start - 2}") == (410, "resync_required")
    assert late.refusal("GET", path) == (410, "resync_required")
    events = late.gets(f"{path}?after={start - 1}")["events"]
    assert [event["type"] for event in events] == ["participant_added", "new_message", "new_message"]


def test_changes_of_earlier_messages_are_hidden(world: World, late: Caller, start: int) -> None:
    change.edit_message(user_id=world.users["member"].id, message_id=world.message, content=SECRET + " plugh")
    change.delete_message_for_everyone(user_id=world.users["member"].id, message_id=world.message)
    events = late.gets(f"/conversations/{world.group.id}/events?after={start + 2}")["events"]
    assert [(event["type"], set(event)) for event in events] == [
        ("event_hidden", {"type", "conversation_id", "sequence"})
    ] * 2
    missed = json.loads(late.asks("POST", "/sync", {"cursors": {str(world.group.id): start + 2}}).content)
    assert missed["events"][str(world.group.id)] == events


def test_a_sync_from_before_the_history_start_requires_a_resync(world: World, late: Caller, start: int) -> None:
    answer = json.loads(late.asks("POST", "/sync", {"cursors": {str(world.group.id): start - 2}}).content)
    assert answer["events"] == {}
    assert answer["resync"] == [str(world.group.id)]


def test_earlier_messages_are_not_found(world: World, late: Caller) -> None:
    message = f"/messages/{world.message}"
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/receipts", None),
        ("POST", "/read", None),
        ("POST", "/delivered", None),
        ("PATCH", "", {"content": "x"}),
        ("DELETE", "?for=everyone", None),
    ):
        assert late.refusal(method, message + path, body) == (404, "not_found"), f"{method} {path}"


def test_a_late_admin_cannot_delete_earlier_messages(world: World, late: Caller) -> None:
    services.update_participant(
        user_id=world.users["owner"].id,
        conversation_id=world.group.id,
        other_id=world.users["stranger"].id,
        role="admin",
    )
    assert late.refusal("DELETE", f"/messages/{world.message}?for=everyone") == (404, "not_found")


def test_earlier_messages_cannot_be_quoted(world: World, late: Caller) -> None:
    body = {"conversation_id": str(world.group.id), "content": "see", "reply_to_id": world.message}
    assert late.refusal("POST", "/messages", body) == (400, "invalid")
    assert late.refusal("POST", "/messages", body | {"reply_to_id": str(uuid4())}) == (400, "invalid")


def test_receipts_do_not_name_earlier_messages(world: World, late: Caller, start: int) -> None:
    body = {"cursors": {str(world.group.id): start + 2}, "since": "2020-01-01T00:00:00Z"}
    receipts = json.loads(late.asks("POST", "/sync", body).content)["receipts"]
    assert receipts
    assert {receipt["message_id"] for receipt in receipts if receipt["up_to_sequence"] < start} == {None}
    assert world.message not in json.dumps(receipts)


def test_the_last_message_is_never_an_earlier_one(world: World, late: Caller, start: int) -> None:
    (conversation,) = late.gets("/conversations")["results"]
    assert conversation["last_message"]["sequence"] >= start
    assert conversation["unread_count"] == 1
    # As if nothing had been written since they were added.
    Conversation.objects.filter(id=world.group.id).update(last_message_sequence=start - 1)
    assert late.gets(f"/conversations/{world.group.id}")["last_message"] is None


def test_no_answer_to_a_late_member_holds_the_secret(world: World, late: Caller, start: int) -> None:
    group = world.group.id
    change.edit_message(user_id=world.users["member"].id, message_id=world.message, content=SECRET + " again")
    for path in (
        "/conversations",
        f"/conversations/{group}",
        f"/conversations/{group}/messages?limit=200",
        f"/conversations/{group}/events?after={start - 1}",
        f"/conversations/{group}/participants",
        "/users/search?q=xyzzy",
    ):
        assert "xyzzy" not in json.dumps(late.gets(path)), path


def test_a_returning_member_does_not_see_messages_of_the_absence(world: World) -> None:
    say(world.group, world.users["owner"], SECRET)
    services.add_participants(
        user_id=world.users["owner"].id, conversation_id=world.group.id, user_ids=[world.users["ex_member"].id]
    )
    back = Caller(world, "ex_member")
    assert SECRET not in json.dumps(back.gets(f"/conversations/{world.group.id}/messages"))
    assert back.refusal("GET", f"/messages/{world.message}") == (404, "not_found")


# --- Requests with unknown fields -----------------------------------------------------------

UNKNOWN = [
    ("POST", "/auth/register", {"username": "x", "password": "y", "is_staff": True}, "is_staff"),
    ("POST", "/auth/login", {"username": "x", "password": "y", "user_id": "z"}, "user_id"),
    ("PATCH", "/users/me", {"is_staff": True}, "is_staff"),
    ("PATCH", "/users/me", {"id": "x"}, "id"),
    ("PATCH", "/users/me", {"username": "root"}, "username"),
    ("PUT", "/users/status", {"status": "busy", "user_id": "x"}, "user_id"),
    ("POST", "/conversations", {"type": "group", "participant_ids": [], "created_by": "x"}, "created_by"),
    ("PATCH", "/conversations/{group}", {"type": "direct"}, "type"),
    ("PATCH", "/conversations/{group}", {"id": "{other}"}, "id"),
    ("DELETE", "/conversations/{group}?mode=leave&user_id={owner}", None, "user_id"),
    ("POST", "/conversations/{group}/participants", {"user_ids": ["{owner}"], "role": "admin"}, "role"),
    ("POST", "/conversations/{group}/participants", {"user_ids": ["{owner}"], "conversation_id": "{other}"}, None),
    ("PATCH", "/conversations/{group}/participants/{owner}", {"user_id": "{other}"}, "user_id"),
    ("PATCH", "/conversations/{group}/participants/{owner}", {"history_from": 1}, "history_from"),
    ("POST", "/conversations/{group}/messages", {"content": "x", "conversation_id": "{other}"}, "conversation_id"),
    ("POST", "/messages", {"conversation_id": "{group}", "content": "x", "sender_user_id": "{owner}"}, None),
    ("POST", "/messages", {"conversation_id": "{group}", "content": "x", "sequence": 1}, "sequence"),
    ("PATCH", "/messages/{message}", {"content": "x", "id": "{other}"}, "id"),
    ("DELETE", "/messages/{message}?for=everyone&user_id={owner}", None, "user_id"),
    ("POST", "/sync", {"cursors": {}, "user_id": "{owner}"}, "user_id"),
    ("GET", "/conversations?user_id={owner}", None, "user_id"),
    ("GET", "/conversations/{group}/messages?user_id={owner}", None, "user_id"),
    ("GET", "/conversations/{group}/events?user_id={owner}", None, "user_id"),
    ("GET", "/conversations/{group}/participants?user_id={owner}", None, "user_id"),
    ("GET", "/users/search?q=x&user_id={owner}", None, "user_id"),
    ("GET", "/users?ids={owner}&user_id={owner}", None, "user_id"),
    ("GET", "/presence?user_ids={owner}&ids={owner}", None, "ids"),
]


@pytest.mark.parametrize(("method", "path", "body", "field"), UNKNOWN)
def test_an_unknown_field_is_refused_and_named(
    world: World, method: str, path: str, body: dict[str, Any] | None, field: str | None
) -> None:
    names = {"group": str(world.group.id), "owner": world.id_of("owner"), "other": str(uuid4())}
    names["message"] = world.message
    response = Caller(world, "member").asks(method, path.format_map(names), filled(body, names))
    answer = json.loads(response.content)
    assert (response.status_code, answer["code"]) == (400, "invalid")
    assert list(answer["fields"]) == [field or list(body or {})[-1]]


@pytest.mark.parametrize("path", ["/auth/logout", "/messages/{message}/read", "/messages/{message}/delivered"])
def test_an_unexpected_body_changes_nothing(world: World, path: str) -> None:
    """The path and the session decide; the body is ignored."""
    body = {"user_id": world.id_of("owner"), "message_id": world.newest, "session_id": str(world.sessions["owner"].id)}
    response = Caller(world, "member").asks("POST", path.format(message=world.message), body)
    assert response.status_code == 204
    world.sessions["owner"].refresh_from_db()
    assert world.sessions["owner"].revoked_at is None
    participant = world.group.participants.get(user=world.users["owner"])
    assert participant.last_delivered_sequence == 0
