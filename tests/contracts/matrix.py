"""The rights matrix of REST: every method of every route, and its outcome for every actor.

Each cell is a request to the real view; its expected outcome is a status. The answer is 404 where the caller may not
know that the thing exists; it is the same answer as for a thing that does not exist.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.contracts.world import ACTORS, IN_GROUP, SIGNED_IN, SIGNED_OUT, World
from tests.making import PASSWORD

Outcomes = Mapping[str, int]
Check = Callable[[World, str, Any], None]


def for_signed_in(status: int) -> Outcomes:
    """The same status for every actor with a live session; 401 for the others."""
    return dict.fromkeys(SIGNED_IN, status) | dict.fromkeys(SIGNED_OUT, 401)


def for_everybody(status: int) -> Outcomes:
    """The same status for every actor, with or without a live session."""
    return dict.fromkeys(ACTORS, status)


def in_group(*, member: int, read_only: int | None = None, admin: int, owner: int) -> Outcomes:
    """A status per role in the group; 404 for signed-in actors outside of it."""
    return for_signed_in(404) | {
        "member": member,
        "other_device": member,
        "read_only": member if read_only is None else read_only,
        "admin": admin,
        "owner": owner,
    }


def every_member(status: int) -> Outcomes:
    """The same status for everybody in the group; 404 for signed-in actors outside of it."""
    return in_group(member=status, admin=status, owner=status)


@dataclass
class Row:
    """One request and its outcome for each actor. `{names}` in path, query and body are filled in from the world."""

    route: str  # as the URL resolver has it
    outcomes: Outcomes
    body: Any = None
    query: str = ""
    check: Check | None = None
    label: str = ""
    path: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.route}{self.query} {self.label}".strip()


# A browser's push subscription with the keys of the example in RFC 8291.
BROWSER = {
    "device_token": "https://push.example.org/3f9a",
    "platform": "web",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}


# --- Checks of successful answers -------------------------------------------------


def only_my_sessions(world: World, actor: str, body: Any) -> None:
    mine = {str(session.id) for session in world.sessions.values() if str(session.user_id) == world.id_of(actor)}
    assert {session["id"] for session in body["results"]} <= mine
    assert [session["id"] for session in body["results"] if session["current"]] == [str(world.sessions[actor].id)]


def it_is_me(world: World, actor: str, body: Any) -> None:
    assert body["id"] == world.id_of(actor)


def presence_for_companions_only(world: World, actor: str, body: Any) -> None:
    if actor == "blocked":
        assert body["presence"] == {"status": "offline", "activity": None, "last_seen": None}
    else:
        assert (body["presence"] is not None) == (actor in IN_GROUP)
    assert "email" not in body


def presence_of_companions_only(world: World, actor: str, body: Any) -> None:
    offline = {"status": "offline", "activity": None, "last_seen": None}
    known = [{"user_id": world.id_of("bystander"), **offline}] if actor in (*IN_GROUP, "blocked") else []
    assert body == {"results": known}


def the_owner_only(world: World, actor: str, body: Any) -> None:
    assert [user["id"] for user in body["results"]] == [world.id_of("owner")]
    nobodys_email(world, actor, body)


def nobodys_email(world: World, actor: str, body: Any) -> None:
    assert not any("email" in user for user in body["results"])


def mine_only(world: World, actor: str) -> list[str]:
    if actor == "blocked":
        return [str(world.direct.id)]
    return [str(world.group.id)] if actor in IN_GROUP else []


def conversations_of_mine_only(world: World, actor: str, body: Any) -> None:
    assert [each["id"] for each in body["results"]] == mine_only(world, actor)


def sync_for_members_only(world: World, actor: str, body: Any) -> None:
    group = str(world.group.id)
    mine = [group] if actor in IN_GROUP else []
    assert list(body["heads"]) == mine_only(world, actor)
    assert list(body["events"]) == mine
    assert body["resync"] == []
    assert bool(body["receipts"]) == bool(mine)


# --- The matrix ---------------------------------------------------------------------------

GROUP = "/api/v1/conversations/{conversation_id}"
SWITCHED_OFF = {"settings": {"notifications_enabled": False}}
PARTICIPANT = GROUP + "/participants/{user_id}"
MESSAGE = "/api/v1/messages/{message_id}"
NEW_NAME = {"username": "somebody-new", "password": PASSWORD}

MATRIX = [
    Row("POST /api/v1/auth/register", for_everybody(201), NEW_NAME),
    Row("POST /api/v1/auth/login", for_everybody(200), {"username": "bystander", "password": PASSWORD}),
    Row(
        "POST /api/v1/auth/login",
        for_everybody(401),
        {"username": "deactivated", "password": PASSWORD},
        label="deactivated",
    ),
    Row("POST /api/v1/auth/logout", for_signed_in(204)),
    Row("GET /api/v1/auth/sessions", for_signed_in(200), check=only_my_sessions),
    Row(
        "DELETE /api/v1/auth/sessions/{session_id}",
        for_signed_in(404) | {"member": 204, "other_device": 204},
        path={"session_id": "{other_session_id}"},
    ),
    Row("GET /api/v1/users/me", for_signed_in(200), check=it_is_me),
    Row("PATCH /api/v1/users/me", for_signed_in(200), {"about": "me"}, check=it_is_me),
    Row("GET /api/v1/users", for_signed_in(200), query="?ids={owner_id},{deactivated_id}", check=the_owner_only),
    Row("GET /api/v1/users/search", for_signed_in(200), query="?q=e", check=nobodys_email),
    Row("GET /api/v1/users/block", for_signed_in(200), check=nobodys_email),
    Row("POST /api/v1/users/block", for_signed_in(201), {"user_id": "{bystander_id}"}),
    Row("POST /api/v1/users/block", for_signed_in(404), {"user_id": "{deactivated_id}"}, label="a deactivated user"),
    Row("POST /api/v1/users/block", for_signed_in(400), {"user_id": "{my_id}"}, label="self"),
    Row("DELETE /api/v1/users/block/{user_id}", for_signed_in(204)),
    Row("PUT /api/v1/users/status", for_signed_in(204), {"status": "busy"}),
    Row(
        "GET /api/v1/presence",
        for_signed_in(200),
        query="?user_ids={bystander_id},{deactivated_id}",
        check=presence_of_companions_only,
    ),
    Row("GET /api/v1/users/{user_id}/profile", for_signed_in(200), check=presence_for_companions_only),
    Row(
        "GET /api/v1/users/{user_id}/profile",
        for_signed_in(404),
        path={"user_id": "{deactivated_id}"},
        label="of a deactivated user",
    ),
    Row("GET /api/v1/conversations", for_signed_in(200), check=conversations_of_mine_only),
    Row(
        "POST /api/v1/conversations",
        for_signed_in(201) | {"blocked": 403},
        {"type": "group", "participant_ids": ["{bystander_id}"]},
    ),
    Row(
        "POST /api/v1/conversations",
        for_signed_in(201) | {"blocked": 200},
        {"type": "direct", "participant_ids": ["{bystander_id}"]},
    ),
    Row(
        "POST /api/v1/messages",
        for_signed_in(404) | {"blocked": 403},
        {"conversation_id": "{direct_id}", "content": "hi"},
        label="to a blocker",
    ),
    Row(
        f"GET {GROUP}",
        for_signed_in(404) | {"blocked": 200},
        path={"conversation_id": "{direct_id}"},
        label="with a blocker",
    ),
    Row(
        f"PATCH {MESSAGE}",
        for_signed_in(404) | {"blocked": 403},
        {"content": "anyway"},
        path={"message_id": "{direct_message_id}"},
        label="to a blocker",
    ),
    Row(f"GET {GROUP}", every_member(200)),
    Row(f"PATCH {GROUP}", in_group(member=403, admin=200, owner=200), {"name": "Other"}),
    Row(f"PATCH {GROUP}", in_group(member=403, admin=200, owner=200), SWITCHED_OFF, label="settings"),
    Row(f"DELETE {GROUP}", every_member(204), query="?mode=leave"),
    Row(f"GET {GROUP}/events", every_member(200)),
    Row(f"PATCH {GROUP}/me", every_member(200), {"pinned": True}),
    Row(f"GET {GROUP}/participants", every_member(200)),
    Row(
        f"POST {GROUP}/participants",
        in_group(member=403, admin=200, owner=200),
        {"user_ids": ["{stranger_id}"]},
    ),
    Row(f"PATCH {PARTICIPANT}", in_group(member=403, admin=403, owner=200), {"role": "admin"}, label="role"),
    Row(f"PATCH {PARTICIPANT}", in_group(member=403, admin=403, owner=200), {"role": "owner"}, label="hand over"),
    Row(
        f"PATCH {PARTICIPANT}",
        in_group(member=403, admin=200, owner=200),
        {"can_send_messages": False},
        label="forbid sending",
    ),
    Row(
        f"PATCH {PARTICIPANT}",
        in_group(member=403, admin=403, owner=403),
        {"can_send_messages": False},
        path={"user_id": "{owner_id}"},
        label="forbid the owner to send",
    ),
    Row(
        f"PATCH {PARTICIPANT}",
        in_group(member=403, admin=403, owner=403),
        {"can_send_messages": False, "role": "owner"},
        path={"user_id": "{my_id}"},
        label="promote self",
    ),
    Row(
        f"PATCH {PARTICIPANT}",
        in_group(member=404, admin=404, owner=404),
        {"role": "admin"},
        path={"user_id": "{stranger_id}"},
        label="of a non-participant",
    ),
    Row(f"DELETE {PARTICIPANT}", in_group(member=403, admin=204, owner=204)),
    Row(
        f"DELETE {PARTICIPANT}",
        in_group(member=403, admin=403, owner=204),
        path={"user_id": "{owner_id}"},
        label="remove the owner",
    ),
    Row(f"DELETE {PARTICIPANT}", every_member(204), path={"user_id": "{my_id}"}, label="leave"),
    Row("POST /api/v1/sync", for_signed_in(200), "{cursors}", check=sync_for_members_only),
    Row(f"GET {GROUP}/messages", every_member(200)),
    Row(
        f"POST {GROUP}/messages",
        in_group(member=201, read_only=403, admin=201, owner=201),
        {"content": "hi"},
    ),
    Row(
        "POST /api/v1/messages",
        in_group(member=201, read_only=403, admin=201, owner=201),
        {"conversation_id": "{conversation_id}", "content": "hi"},
    ),
    Row(f"GET {MESSAGE}", every_member(200)),
    Row(f"PATCH {MESSAGE}", in_group(member=200, read_only=403, admin=403, owner=403), {"content": "better"}),
    Row(
        f"DELETE {MESSAGE}",
        in_group(member=204, read_only=403, admin=204, owner=204),
        query="?for=everyone",
    ),
    Row(
        f"DELETE {MESSAGE}",
        in_group(member=403, admin=204, owner=204),
        query="?for=everyone",
        path={"message_id": "{newest_id}"},
        label="of the owner",
    ),
    Row(f"POST {MESSAGE}/read", every_member(204)),
    Row(f"POST {MESSAGE}/delivered", every_member(204)),
    Row(f"GET {MESSAGE}/receipts", every_member(200)),
    # Only for the sender of the message.
    Row(f"GET {MESSAGE}/trace", in_group(member=200, read_only=404, admin=404, owner=404)),
    Row("POST /api/v1/device-tokens", for_signed_in(201), BROWSER),
    Row("DELETE /api/v1/device-tokens/{device_token}", for_signed_in(204), path={"device_token": "nobodys"}),
    Row("GET /api/v1/notifications", for_signed_in(200)),
    Row("POST /api/v1/notifications/read", for_signed_in(404), {"up_to": "{direct_message_id}"}),
    Row("GET /api/v1/notifications/preferences", for_signed_in(200)),
    Row("PATCH /api/v1/notifications/preferences", for_signed_in(200), {"push": False}),
    Row("GET /api/v1/notifications/vapid-key", for_signed_in(200)),
    Row("GET /api/v1/limits", for_everybody(200)),
    Row("GET /api/v1/schema", for_everybody(200)),
    Row("GET /api/v1/schema/try", for_everybody(200)),
]
# Routes with the same answer for everybody and no personal data: they may be cached.
PUBLIC = {"GET /api/v1/schema", "GET /api/v1/schema/try"}
