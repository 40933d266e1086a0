"""3: whoever was removed gets nothing of the conversation from any route, whatever they ask for.

The matrices of tests/contracts say with which status; this says that no answer holds a word of it. The
socket is asked in tests/contracts/test_authorisation_socket.py.
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
def told(world: World) -> World:
    """Words in everything that a group has, from while the ex-member was there and from later."""
    owner = world.users["owner"]
    changes = {"name": CANARY, "description": CANARY, "avatar_url": f"https://{CANARY}.example/"}
    services.update_conversation(user_id=owner.id, conversation_id=world.group.id, changes=changes)
    say(world.group, owner, CANARY, metadata={"note": CANARY})
    User.objects.filter(username="bystander").update(about="nothing secret")
    return world


@pytest.mark.parametrize("row", MATRIX, ids=str)
def test_no_answer_holds_a_word(told: World, row: Row) -> None:
    for actor in ("ex_member", "stranger", "staff", "anonymous", "revoked", "deactivated"):
        with undone():
            assert CANARY.encode() not in ask(row, actor, told).content, actor


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


def test_no_query_finds_a_word(told: World) -> None:
    for actor in ("ex_member", "stranger", "staff"):
        for name, query in QUERIES.items():
            answer = Client(headers=told.headers(actor)).get("/api/v1" + query(told))
            assert CANARY.encode() not in answer.content, (actor, name)


def test_the_canary_sings_for_members(told: World) -> None:
    answer = Client(headers=told.headers("member")).get("/api/v1/conversations")
    assert answer.content.count(CANARY.encode()) >= 4
