"""29: no answer to a signed-in person and no refusal may be cached.

tests/contracts/test_authorisation.py checks this for every route of the API and every actor.
"""

import json

import pytest
from django.conf import settings
from django.test import Client

from tests.contracts.asking import ask
from tests.contracts.matrix import Row
from tests.contracts.routes import METHODS, admin_addresses, api_routes
from tests.contracts.world import World
from tests.making import PASSWORD


def may_be_cached(answer: object) -> bool:
    return "no-store" not in str(answer.headers.get("Cache-Control", ""))  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/v1/users/me/x", "/admin/nowhere/"])
def test_not_found_answers_are_no_store(world: World, path: str) -> None:
    client = Client(headers=world.headers("member"))
    client.force_login(world.users["staff"])
    answer = client.get(path)
    assert answer.status_code == 404
    assert not may_be_cached(answer)


def test_refusals_of_methods_and_bodies_are_no_store(world: World) -> None:
    had = {(route.path, route.method) for route in api_routes()}
    for path in sorted({route.path for route in api_routes()}):
        for method in (method.upper() for method in METHODS):
            if (path, method) not in had and "schema" not in path:
                row = Row(f"{method} {path}", {}, body={})
                refusal = ask(row, "member", world, session_id="0" * 32, device_token="nobodys")
                assert not may_be_cached(refusal)
    broken = Client(headers=world.headers("member")).post("/api/v1/messages", "{", content_type="application/json")
    assert broken.status_code == 400
    assert not may_be_cached(broken)


def test_answers_to_a_cookie_session_are_no_store(world: World) -> None:
    browser = Client()
    body = json.dumps({"username": "member", "password": PASSWORD, "cookie": True})
    signed_in = browser.post("/api/v1/auth/login", body, content_type="application/json")
    answers = [signed_in, browser.get("/api/v1/users/me"), browser.get("/api/v1/conversations")]
    assert settings.SESSION_COOKIE_NAME in browser.cookies
    for answer in answers:
        assert answer.status_code == 200
        assert not may_be_cached(answer)


def test_admin_pages_are_no_store(world: World) -> None:
    staff = Client()
    staff.force_login(world.users["staff"])
    pages = 0
    for address in admin_addresses(world):
        answer = staff.get(address)
        if (
            answer.status_code == 200 and "jsi18n" not in address
        ):  # translated texts of the interface, the same for everybody
            pages += 1
            assert not may_be_cached(answer), address
    assert pages > 15


def test_the_web_client_page_is_the_same_for_everybody(world: World) -> None:
    anonymous, signed_in = Client().get("/"), Client(headers=world.headers("member")).get("/")
    assert anonymous.content == signed_in.content
