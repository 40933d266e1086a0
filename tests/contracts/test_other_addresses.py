"""What the matrix has no row for: methods that a route does not have, and addresses outside of the API."""

import json
from uuid import uuid4

import pytest
from django.test import Client

from tests.contracts.asking import ask
from tests.contracts.matrix import Row
from tests.contracts.routes import METHODS, admin_addresses, api_routes, patterns
from tests.contracts.world import ACTORS, World
from tests.making import PASSWORD

# Where somebody signs in, what the sign-in page is made of, and where one signs out.
ADMIN_FOR_EVERYBODY = {"/admin/login/", "/admin/jsi18n/", "/admin/logout/"}


def test_methods_that_a_route_does_not_have_are_refused(world: World) -> None:
    had = {(route.path, route.method) for route in api_routes()}
    for path in sorted({route.path for route in api_routes()}):
        for method in (method.upper() for method in METHODS):
            if (path, method) not in had:
                row = Row(f"{method} {path}", {}, body={})
                response = ask(row, "member", world, session_id=str(uuid4()), device_token="nobodys")
                assert response.status_code == 405, f"{method} {path}"
                assert response["Allow"]
                if path != "/api/v1/schema/try":  # a page
                    assert json.loads(response.content)["code"] == "method_not_allowed"


def test_no_address_outside_of_the_api_is_forgotten() -> None:
    """Whoever adds one says here who may see what there, with a test."""
    outside = {path for path, _ in patterns() if not path.startswith(("api/v1/", "admin/"))}
    assert outside == {"", "health", "health/ready", "service-worker.js", "unsubscribe/<str:token>"}


@pytest.mark.parametrize("path", ["/", "/service-worker.js", "/health", "/health/ready"])
def test_pages_for_everybody_hold_nothing_of_anybody(path: str, world: World) -> None:
    answers = [Client().get(path, headers=world.headers(actor)) for actor in ACTORS]
    for answer in answers:
        assert answer.status_code == 200, answer.content
        assert not any(user.username.encode() in answer.content for user in world.users.values())


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
