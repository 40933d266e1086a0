"""Addresses without a row in the rights matrix: unsupported methods, pages outside of the API, and the admin."""

import json
from uuid import uuid4

import pytest
from django.templatetags.static import static
from django.test import Client

from tests.contracts.asking import ask
from tests.contracts.matrix import Row
from tests.contracts.routes import METHODS, admin_addresses, api_routes, patterns
from tests.contracts.world import ACTORS, World
from tests.making import PASSWORD

# The sign-in page, the texts of its script, and the sign-out page.
ADMIN_FOR_EVERYBODY = {"/admin/login/", "/admin/jsi18n/", "/admin/logout/"}


def test_unsupported_methods_are_refused(world: World) -> None:
    had = {(route.path, route.method) for route in api_routes()}
    for path in sorted({route.path for route in api_routes()}):
        for method in (method.upper() for method in METHODS):
            if (path, method) not in had:
                row = Row(f"{method} {path}", {}, body={})
                response = ask(row, "member", world, session_id=str(uuid4()), device_token="nobodys")
                assert response.status_code == 405, f"{method} {path}"
                assert response["Allow"]
                if path != "/api/v1/schema/try":  # it is an HTML page
                    assert json.loads(response.content)["code"] == "method_not_allowed"


def test_every_address_outside_of_the_api_is_listed() -> None:
    """A new address must be added here, with a test of what it shows to whom."""
    outside = {path for path, _ in patterns() if not path.startswith(("api/v1/", "admin/"))}
    listed = {"", "favicon.ico", "health", "health/ready", "service-worker.js", "unsubscribe/<str:token>"}
    assert outside == listed


def test_the_icon_is_found_at_the_usual_address() -> None:
    answer = Client().get("/favicon.ico")
    assert (answer.status_code, answer["Location"]) == (302, static("favicon.svg"))


def test_a_mistyped_address_shows_a_page_to_people_and_an_error_body_to_programs() -> None:
    person = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    page = Client().get("/nowhere", headers=person)
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"There is nothing here" in page.content
    for path, headers in (("/nowhere", {}), ("/nowhere", {"Accept": "*/*"}), ("/api/v1/nowhere", person)):
        answer = Client().get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/service-worker.js", "/health", "/health/ready"])
def test_public_pages_hold_no_username(path: str, world: World) -> None:
    answers = [Client().get(path, headers=world.headers(actor)) for actor in ACTORS]
    for answer in answers:
        assert answer.status_code == 200, answer.content
        assert not any(user.username.encode() in answer.content for user in world.users.values())


def test_the_admin_accepts_only_staff_signed_in_to_it(world: World) -> None:
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
