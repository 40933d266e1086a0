"""Rights over REST: the request of every cell of the matrix is made.

The list of routes comes from the URL resolver. A route without a row fails, and so does a row without a route.
"""

import json
from uuid import uuid4

import pytest
from django.http import HttpResponse

from tests.contracts.asking import ask, undone
from tests.contracts.matrix import MATRIX, PUBLIC, Row
from tests.contracts.routes import api_routes
from tests.contracts.world import ACTORS, IN_GROUP, World


def test_every_route_has_a_row() -> None:
    assert {row.route for row in MATRIX} == {str(route) for route in api_routes()}


@pytest.mark.parametrize("row", MATRIX, ids=str)
def test_every_actor_has_a_cell(row: Row) -> None:
    assert set(row.outcomes) == set(ACTORS)


@pytest.mark.parametrize("row", MATRIX, ids=str)
def test_each_actor_gets_the_outcome_of_its_cell(row: Row, world: World) -> None:
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


@pytest.mark.parametrize("row", [row for row in MATRIX if row.outcomes["stranger"] == 404 and not row.path], ids=str)
def test_a_hidden_thing_is_answered_like_a_missing_one(row: Row, world: World) -> None:
    refused = ask(row, "stranger", world)
    nowhere = ask(row, "stranger", world, conversation_id=str(uuid4()), message_id=str(uuid4()))
    assert (refused.status_code, refused.json()) == (nowhere.status_code, nowhere.json())
