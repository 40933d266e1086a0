"""29: no answer to somebody who is signed in may be kept on the way, nor a refusal.

That every route of the API says so, for everybody, is asked in tests/contracts/test_authorisation.py.
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


def may_be_kept(answer: object) -> bool:
    return "no-store" not in str(answer.headers.get("Cache-Control", ""))  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/v1/users/me/x", "/admin/nowhere/"])
def test_what_does_not_exist(world: World, path: str) -> None:
    client = Client(headers=world.headers("member"))
    client.force_login(world.users["staff"])
    answer = client.get(path)
    assert answer.status_code == 404
    assert not may_be_kept(answer)


def test_refusals_of_methods_and_bodies(world: World) -> None:
    had = {(route.path, route.method) for route in api_routes()}
    for path in sorted({route.path for route in api_routes()}):
        for method in (method.upper() for method in METHODS):
            if (path, method) not in had and "schema" not in path:
                row = Row(f"{method} {path}", {}, body={})
                refusal = ask(row, "member", world, session_id="0" * 32, device_token="nobodys")
                assert not may_be_kept(refusal)
    broken = Client(headers=world.headers("member")).post("/api/v1/messages", "{", content_type="application/json")
    assert broken.status_code == 400
    assert not may_be_kept(broken)


def test_with_a_cookie_too(world: World) -> None:
    browser = Client()
    body = json.dumps({"username": "member", "password": PASSWORD, "cookie": True})
    signed_in = browser.post("/api/v1/auth/login", body, content_type="application/json")
    answers = [signed_in, browser.get("/api/v1/users/me"), browser.get("/api/v1/conversations")]
    assert settings.SESSION_COOKIE_NAME in browser.cookies
    for answer in answers:
        assert answer.status_code == 200
        assert not may_be_kept(answer)


def test_pages_of_the_admin(world: World) -> None:
    staff = Client()
    staff.force_login(world.users["staff"])
    pages = 0
    for address in admin_addresses(world):
        answer = staff.get(address)
        if answer.status_code == 200 and "jsi18n" not in address:  # words of the interface, the same for all
            pages += 1
            assert not may_be_kept(answer), address
    assert pages > 15


def test_the_page_of_the_web_client_holds_nothing_of_anybody(world: World) -> None:
    anonymous, signed_in = Client().get("/"), Client(headers=world.headers("member")).get("/")
    assert anonymous.content == signed_in.content
