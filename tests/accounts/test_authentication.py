"""REST authentication: bearer tokens, browser cookies with CSRF, and access to sessions."""

import uuid
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts import selectors, services
from accounts.models import DeviceSession, User
from tests.making import PASSWORD, person

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture(autouse=True)
def ana() -> User:
    return person("ana")


@pytest.fixture
def browser() -> Client:
    """A browser that has loaded the page and so holds the CSRF cookie."""
    browser = Client(enforce_csrf_checks=True)
    browser.get("/")
    return browser


def post(client: Client, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    return client.post(f"{API}{path}", body or {}, content_type="application/json", headers=headers)


def sign_in(client: Client, **fields: Any) -> Any:
    return post(client, "/auth/login", {"username": "ana", "password": PASSWORD, **fields})


def csrf(client: Client) -> dict[str, str]:
    return {"X-CSRFToken": client.cookies["csrftoken"].value}


def me(client: Client, **headers: str) -> int:
    return client.get(f"{API}/users/me", headers=headers).status_code


def test_a_token_authenticates_and_its_session_records_the_device(client: Client) -> None:
    answer = post(client, "/auth/login", {"username": "ana", "password": PASSWORD}, **{"X-Device-ID": "d" * 200})
    assert answer.status_code == 200
    token = answer.json()["token"]
    assert me(client, Authorization=f"Bearer {token}") == 200
    assert me(client, Authorization=f"bearer  {token} ") == 200
    assert me(client, Authorization=f"Basic {token}") == 401, "only the Bearer scheme is accepted"
    assert DeviceSession.objects.get().device_id == "d" * 128
    assert settings.SESSION_COOKIE_NAME not in client.cookies


@pytest.mark.parametrize("credential", ["", "Bearer", "Bearer x", "Basic YTpi", "Token t", "Bearer \xff"])
def test_an_invalid_credential_is_answered_401(credential: str, client: Client) -> None:
    answer = client.get(f"{API}/users/me", headers={"Authorization": credential})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_browser_gets_an_httponly_cookie_and_no_token(browser: Client) -> None:
    answer = sign_in(browser, cookie=True)
    assert answer.json()["token"] is None
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert me(browser) == 200


def test_a_change_by_cookie_needs_the_csrf_token(browser: Client) -> None:
    sign_in(browser, cookie=True)
    patch = {"path": f"{API}/users/me", "data": {"about": "x"}, "content_type": "application/json"}
    refused = browser.patch(**patch)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert browser.patch(**patch, headers={"X-CSRFToken": "0" * 32}).status_code == 403
    assert browser.patch(**patch, headers=csrf(browser)).status_code == 200


def test_a_token_needs_no_csrf_token_even_beside_a_cookie(browser: Client) -> None:
    token = sign_in(browser).json()["token"]
    sign_in(browser, cookie=True)
    assert post(browser, "/auth/logout", Authorization=f"Bearer {token}").status_code == 204


def test_signing_in_again_renews_cookie_and_csrf_token(browser: Client) -> None:
    sign_in(browser, cookie=True)
    before = browser.cookies[settings.SESSION_COOKIE_NAME].value, csrf(browser)
    sign_in(browser, cookie=True)
    after = browser.cookies[settings.SESSION_COOKIE_NAME].value, csrf(browser)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_signing_up_by_cookie_signs_in(browser: Client) -> None:
    answer = post(browser, "/auth/register", {"username": "ben", "password": PASSWORD, "cookie": True})
    assert (answer.status_code, answer.json()["token"]) == (201, None)
    assert browser.get(f"{API}/users/me").json()["username"] == "ben"


def test_signing_out_ends_the_session_and_copies_of_its_cookie(browser: Client) -> None:
    sign_in(browser, cookie=True)
    copied = Client()
    copied.cookies[settings.SESSION_COOKIE_NAME] = browser.cookies[settings.SESSION_COOKIE_NAME].value
    assert post(browser, "/auth/logout", **csrf(browser)).status_code == 204
    assert me(browser) == me(copied) == 401
    assert DeviceSession.objects.get().revoked_at is not None


def test_a_cookie_is_refused_after_its_session_is_revoked(browser: Client, ana: User) -> None:
    sign_in(browser, cookie=True)
    services.revoke_all_sessions(user_id=ana.id)
    assert me(browser) == 401


def test_a_cookie_value_finds_its_session_or_none(browser: Client, ana: User) -> None:
    sign_in(browser, cookie=True)
    services.open_session(user=person("ben"), with_token=False)
    found = selectors.session_of_cookie(browser.cookies[settings.SESSION_COOKIE_NAME].value)
    assert found is not None
    assert found.user == ana
    for value in ("", "a", "x\x00", "x" * 500):
        assert selectors.session_of_cookie(value) is None


def test_users_list_and_end_only_their_own_sessions(client: Client) -> None:
    mine = {"Authorization": f"Bearer {sign_in(client).json()['token']}"}
    other = services.open_session(user=person("ben")).session.id
    (listed,) = client.get(f"{API}/auth/sessions", headers=mine).json()["results"]
    assert listed["current"] is True
    for unknown in (other, uuid.uuid4()):
        assert client.delete(f"{API}/auth/sessions/{unknown}", headers=mine).status_code == 404
    assert client.delete(f"{API}/auth/sessions/{listed['id']}", headers=mine).status_code == 204
    assert me(client, **mine) == 401


def test_too_many_attempts_are_answered_with_retry_after(client: Client) -> None:
    for _ in range(settings.LIMITS.logins_per_account):
        assert sign_in(client, password="wrong").status_code == 401
    refused = sign_in(client)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["retry_after"] > 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "x y", "password": PASSWORD}, "username"),
        ({"username": "ben\n", "password": PASSWORD}, "username"),
        ({"username": "ben", "password": ""}, "password"),
        ({"username": "ben", "password": "x" * 257}, "password"),
        ({"username": "ben", "password": PASSWORD, "display_name": "\x00"}, "display_name"),
        ({"username": "ben", "password": PASSWORD, "is_staff": True}, "is_staff"),
        ({"password": PASSWORD}, "username"),
        ({"username": 7, "password": PASSWORD}, "username"),
    ],
)
def test_an_invalid_field_is_named_in_the_error(body: dict[str, Any], field: str, client: Client) -> None:
    refused = post(client, "/auth/register", body)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
    assert set(refused.json()["fields"]) == {field}
