"""Who may do what: every method of every address, for everybody.

The list of routes comes from the URL resolver. A route without a row fails, and so does a row without a
route. Each cell is a request to the real view; its expected outcome is a status. 404 is the answer where
the caller may not know that the thing exists, and it looks the same as for what does not exist.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from tests.contracts.routes import METHODS, api_routes, patterns
from tests.contracts.world import ACTORS, SIGNED_IN, SIGNED_OUT, World, filled
from tests.making import PASSWORD

Outcomes = Mapping[str, int]
Check = Callable[[World, str, Any], None]


def for_signed_in(status: int) -> Outcomes:
    """Everybody with a living session; the others are not recognised."""
    return dict.fromkeys(SIGNED_IN, status) | dict.fromkeys(SIGNED_OUT, 401)


def for_everybody(status: int) -> Outcomes:
    """Even without a session, or with a dead one."""
    return dict.fromkeys(ACTORS, status)


def in_group(*, member: int, read_only: int | None = None, admin: int, owner: int) -> Outcomes:
    """Different answers inside the group; who is not in it does not learn that it exists."""
    return for_signed_in(404) | {
        "member": member,
        "other_device": member,
        "read_only": member if read_only is None else read_only,
        "admin": admin,
        "owner": owner,
    }


def every_member(status: int) -> Outcomes:
    """The same answer for everybody in the group."""
    return in_group(member=status, admin=status, owner=status)


IN_GROUP = ("member", "other_device", "read_only", "admin", "owner")


@dataclass
class Row:
    """One request and its outcome for each actor. `{names}` in path and body are filled in from the world."""

    route: str  # as the resolver has it
    outcomes: Outcomes
    body: Any = None
    query: str = ""
    check: Check | None = None
    label: str = ""
    path: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.route}{self.query} {self.label}".strip()


# --- What else must hold of a good answer -------------------------------------------------


def only_my_sessions(world: World, actor: str, body: Any) -> None:
    mine = {str(session.id) for session in world.sessions.values() if str(session.user_id) == world.id_of(actor)}
    assert {session["id"] for session in body["results"]} <= mine
    assert [session["id"] for session in body["results"] if session["current"]] == [str(world.sessions[actor].id)]


def it_is_me(world: World, actor: str, body: Any) -> None:
    assert body["id"] == world.id_of(actor)


def presence_for_companions_only(world: World, actor: str, body: Any) -> None:
    assert (body["presence"] is not None) == (actor in IN_GROUP)
    assert "email" not in body


def nobodys_email(world: World, actor: str, body: Any) -> None:
    assert not any("email" in user for user in body["results"])


def group_for_members_only(world: World, actor: str, body: Any) -> None:
    assert [each["id"] for each in body["results"]] == ([str(world.group.id)] if actor in IN_GROUP else [])


def sync_for_members_only(world: World, actor: str, body: Any) -> None:
    group = str(world.group.id)
    mine = [group] if actor in IN_GROUP else []
    assert list(body["heads"]) == list(body["events"]) == mine
    assert body["resync"] == []
    assert bool(body["receipts"]) == bool(mine)


# --- The matrix ---------------------------------------------------------------------------

GROUP = "/api/v1/conversations/{conversation_id}"
PARTICIPANT = GROUP + "/participants/{user_id}"
MESSAGE = "/api/v1/messages/{message_id}"
NEW_NAME = {"username": "somebody-new", "password": PASSWORD}

MATRIX = [
    Row("POST /api/v1/auth/register", for_everybody(201), NEW_NAME),
    Row("POST /api/v1/auth/login", for_everybody(200), {"username": "bystander", "password": PASSWORD}),
    Row("POST /api/v1/auth/login", for_everybody(401), {"username": "deactivated", "password": PASSWORD}, label="gone"),
    Row("POST /api/v1/auth/logout", for_signed_in(204)),
    Row("GET /api/v1/auth/sessions", for_signed_in(200), check=only_my_sessions),
    Row(
        "DELETE /api/v1/auth/sessions/{session_id}",
        for_signed_in(404) | {"member": 204, "other_device": 204},
        path={"session_id": "{other_session_id}"},
    ),
    Row("GET /api/v1/users/me", for_signed_in(200), check=it_is_me),
    Row("PATCH /api/v1/users/me", for_signed_in(200), {"about": "me"}, check=it_is_me),
    Row("GET /api/v1/users/search", for_signed_in(200), query="?q=e", check=nobodys_email),
    Row("PUT /api/v1/users/status", for_signed_in(204), {"status": "busy"}),
    Row("GET /api/v1/users/{user_id}/profile", for_signed_in(200), check=presence_for_companions_only),
    Row(
        "GET /api/v1/users/{user_id}/profile",
        for_signed_in(404),
        path={"user_id": "{deactivated_id}"},
        label="of somebody deactivated",
    ),
    Row("GET /api/v1/conversations", for_signed_in(200), check=group_for_members_only),
    Row("POST /api/v1/conversations", for_signed_in(201), {"type": "group", "participant_ids": ["{bystander_id}"]}),
    Row("POST /api/v1/conversations", for_signed_in(201), {"type": "direct", "participant_ids": ["{bystander_id}"]}),
    Row(f"GET {GROUP}", every_member(200)),
    Row(f"PATCH {GROUP}", in_group(member=403, admin=200, owner=200), {"name": "Other"}),
    Row(f"DELETE {GROUP}", every_member(204), query="?mode=leave"),
    Row(f"GET {GROUP}/events", every_member(200)),
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
        label="silence",
    ),
    Row(
        f"PATCH {PARTICIPANT}",
        in_group(member=403, admin=403, owner=403),
        {"can_send_messages": False},
        path={"user_id": "{owner_id}"},
        label="silence the owner",
    ),
    Row(
        f"PATCH {PARTICIPANT}",
        in_group(member=403, admin=403, owner=403),
        {"can_send_messages": False, "role": "owner"},
        path={"user_id": "{my_id}"},
        label="promote oneself",
    ),
    Row(
        f"PATCH {PARTICIPANT}",
        in_group(member=404, admin=404, owner=404),
        {"role": "admin"},
        path={"user_id": "{stranger_id}"},
        label="of nobody here",
    ),
    Row(f"DELETE {PARTICIPANT}", in_group(member=403, admin=204, owner=204)),
    Row(
        f"DELETE {PARTICIPANT}",
        in_group(member=403, admin=403, owner=204),
        path={"user_id": "{owner_id}"},
        label="remove the owner, who may leave",
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
    Row("GET /api/v1/limits", for_everybody(200)),
    Row("GET /api/v1/schema", for_everybody(200)),
    Row("GET /api/v1/schema/try", for_everybody(200)),
]
# Told in the answer of a route that is the same for everybody and holds nothing of anybody.
PUBLIC = {"GET /api/v1/schema", "GET /api/v1/schema/try"}


def test_every_route_has_a_row() -> None:
    assert {row.route for row in MATRIX} == {str(route) for route in api_routes()}


@pytest.mark.parametrize("row", MATRIX, ids=str)
def test_every_actor_has_a_cell(row: Row) -> None:
    assert set(row.outcomes) == set(ACTORS)


@pytest.mark.parametrize("row", MATRIX, ids=str)
def test_rights(row: Row, world: World) -> None:
    found = {}
    for actor in ACTORS:
        with undone():
            response = ask(row, actor, world)
            found[actor] = response.status_code
            if row.route not in PUBLIC:
                assert response["Cache-Control"] == "no-store", actor
            if response.status_code >= 400:
                looks_like_a_refusal(response, actor)
            elif row.check is not None:
                row.check(world, actor, response.json())
    assert found == row.outcomes


def looks_like_a_refusal(response: HttpResponse, actor: str) -> None:
    answer = json.loads(response.content)
    assert {"code", "message"} <= set(answer) <= {"code", "message", "fields", "retry_after"}, actor
    if response.status_code == 401:
        assert answer["code"] == "unauthenticated", actor
    if response.status_code == 404 and actor not in IN_GROUP:
        assert answer["code"] == "not_found", actor
        assert answer["message"].startswith("No such "), actor


@contextmanager
def undone() -> Iterator[None]:
    """Undo what the block does to the stores, so that each actor finds the same world."""
    cache.clear()  # attempts to sign in and up are counted there
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("row", [row for row in MATRIX if row.outcomes["stranger"] == 404 and not row.path], ids=str)
def test_what_one_may_not_know_looks_like_what_does_not_exist(row: Row, world: World) -> None:
    refused = ask(row, "stranger", world)
    nowhere = ask(row, "stranger", world, conversation_id=str(uuid4()), message_id=str(uuid4()))
    assert (refused.status_code, refused.json()) == (nowhere.status_code, nowhere.json())


# --- What has no row: other methods, and addresses outside of the API ------------------------


def test_methods_that_a_route_does_not_have_are_refused(world: World) -> None:
    had = {(route.path, route.method) for route in api_routes()}
    for path in sorted({route.path for route in api_routes()}):
        for method in (method.upper() for method in METHODS):
            if (path, method) not in had:
                row = Row(f"{method} {path}", {}, body={})
                response = ask(row, "member", world, session_id=str(uuid4()))
                assert response.status_code == 405, f"{method} {path}"
                assert response["Allow"]
                if path != "/api/v1/schema/try":  # a page
                    assert json.loads(response.content)["code"] == "method_not_allowed"


def test_no_address_outside_of_the_api_is_forgotten() -> None:
    """Whoever adds one says here who may see what there, with a test."""
    outside = {path for path, _ in patterns() if not path.startswith(("api/v1/", "admin/"))}
    assert outside == {"", "health", "health/ready"}


@pytest.mark.parametrize("path", ["/", "/health", "/health/ready"])
def test_pages_for_everybody_hold_nothing_of_anybody(path: str, world: World) -> None:
    answers = [Client().get(path, headers=world.headers(actor)) for actor in ACTORS]
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        assert not any(user.username.encode() in answer.content for user in world.users.values())


def admin_addresses(world: World) -> list[str]:
    """Every address of the admin, with the id of something that exists where one is asked for."""
    ids = {
        "user": world.users["member"].id,
        "devicesession": world.sessions["member"].id,
        "conversation": world.group.id,
        "message": world.message,
    }
    addresses = []
    for path, _ in patterns():
        if not path.startswith("admin/"):
            continue
        model = path.split("/")[2] if path.count("/") > 2 else ""
        shown = re.sub(r"<[^>]+>", str(ids.get(model, 1)), path)
        addresses.append("/" + shown.split("(?P")[0].rstrip("^$"))
    return addresses


# Where somebody signs in, what the sign-in page is made of, and where one signs out.
ADMIN_FOR_EVERYBODY = {"/admin/login/", "/admin/jsi18n/", "/admin/logout/"}


def test_the_admin_knows_staff_with_its_own_session_only(world: World) -> None:
    addresses = admin_addresses(world)
    assert len(addresses) > 20
    with_cookie = Client()
    signed_in = with_cookie.post(
        "/api/v1/auth/login",
        json.dumps({"username": "staff", "password": PASSWORD, "cookie": True}),
        content_type="application/json",
    )
    assert signed_in.status_code == 200
    clients = [(Client(), world.headers(actor)) for actor in ACTORS] + [(with_cookie, {})]
    by_password = Client()
    by_password.force_login(world.users["member"])
    for address in sorted(set(addresses) - ADMIN_FOR_EVERYBODY):
        for client, headers in [*clients, (by_password, {})]:
            response = client.get(address, headers=headers)
            to_login = response.status_code == 302 and response["Location"].startswith("/admin/login/")
            assert to_login or response.status_code in (404, 405), f"{address}: {response.status_code}"
    staff = Client()
    staff.force_login(world.users["staff"])
    assert staff.get("/admin/").status_code == 200


def ask(row: Row, actor: str, world: World, **other: str) -> HttpResponse:
    """Make a row's request as an actor."""
    names = {
        "conversation_id": str(world.group.id),
        "message_id": world.message,
        "newest_id": world.newest,
        "user_id": world.id_of("bystander"),
        "my_id": world.id_of(actor) if actor != "anonymous" else str(uuid4()),
        "other_session_id": str(world.sessions["other_device"].id),
    }
    names |= {f"{name}_id": str(user.id) for name, user in world.users.items()}
    names |= other
    method, path = row.route.split(" ")
    path = path.format_map(names | {name: value.format_map(names) for name, value in row.path.items()})
    if row.body == "{cursors}":
        body = json.dumps({"cursors": {names["conversation_id"]: 0}, "since": "2020-01-01T00:00:00Z"})
    else:
        body = json.dumps(filled(row.body, names)) if row.body is not None else ""
    return Client().generic(
        method, path + row.query, body, content_type="application/json", headers=world.headers(actor)
    )
