"""3: an ex-member gets nothing of the conversation from any route, with any query.

The matrices of tests/contracts check the statuses; these tests check that no answer contains a text of the
conversation. tests/contracts/test_authorisation_socket.py checks the socket.
"""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from conversations import services
from tests.contracts.asking import ask, undone
from tests.contracts.matrix import MATRIX, Row
from tests.contracts.world import World
from tests.making import say

CANARY = "xyzzy-canary"


@pytest.fixture
def marked_world(world: World) -> World:
    """The world with the canary in every text of the group and in a message after the removal."""
    owner = world.users["owner"]
    changes = {"name": CANARY, "description": CANARY, "avatar_url": f"https://{CANARY}.example/"}
    services.update_conversation(user_id=owner.id, conversation_id=world.group.id, changes=changes)
    say(world.group, owner, CANARY, metadata={"note": CANARY})
    User.objects.filter(username="bystander").update(about="nothing secret")
    return world


@pytest.mark.parametrize("row", MATRIX, ids=str)
def test_no_answer_contains_the_canary(marked_world: World, row: Row) -> None:
    for actor in ("ex_member", "stranger", "staff", "anonymous", "revoked", "deactivated"):
        with undone():
            assert CANARY.encode() not in ask(row, actor, marked_world).content, actor


QUERIES: dict[str, Callable[[World], str]] = {
    "list": lambda world: "/conversations",
    "list by name": lambda world: f"/conversations?q={CANARY}",
    "list of unread": lambda world: "/conversations?unread=true",
    "events from the first": lambda world: f"/conversations/{world.group.id}/events?after=0&limit=1000",
    "history backwards": lambda world: f"/conversations/{world.group.id}/messages?before=999999&limit=200",
    "history around": lambda world: f"/conversations/{world.group.id}/messages?around=5",
    "people": lambda world: f"/users/search?q={CANARY}",
    "the message": lambda world: f"/messages/{world.newest}",
}


def test_no_query_finds_the_canary(marked_world: World) -> None:
    for actor in ("ex_member", "stranger", "staff"):
        for name, query in QUERIES.items():
            answer = Client(headers=marked_world.headers(actor)).get("/api/v1" + query(marked_world))
            assert CANARY.encode() not in answer.content, (actor, name)


def test_members_see_the_canary(marked_world: World) -> None:
    answer = Client(headers=marked_world.headers("member")).get("/api/v1/conversations")
    assert answer.content.count(CANARY.encode()) >= 4
