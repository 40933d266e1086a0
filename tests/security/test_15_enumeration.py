"""15: body, status and work of an answer do not show whether a person exists."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services import open_session
from tests.making import PASSWORD, person

pytestmark = pytest.mark.django_db
LOGIN = "/api/v1/auth/login"


class CountingHasher(MD5PasswordHasher):
    """A hasher that counts its calls: hashing is the slow part of a sign-in."""

    algorithm = "counting"
    worked = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.worked += 1
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def people(settings: Any) -> Iterator[None]:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    cache.clear()
    person("ana", email="ana@example.org")
    person("gone", is_active=False)
    User.objects.create_user("bot")  # has no password
    yield
    cache.clear()


def sign_in(username: str, password: str = "a wrong guess") -> Any:
    body = json.dumps({"username": username, "password": password})
    return Client().post(LOGIN, body, content_type="application/json")


NAMES = ["ana", "nobody", "gone", "bot", "ANA", "no such name at all", "x" * 254, "\u0130"]


def test_every_failed_sign_in_gets_one_answer() -> None:
    answers = [sign_in(name) for name in NAMES] + [sign_in("gone", PASSWORD)]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    headers_of = [
        {name: value for name, value in answer.headers.items() if name != "Content-Length"} for answer in answers
    ]
    assert all(headers == headers_of[0] for headers in headers_of)


def test_every_failed_sign_in_takes_the_same_work() -> None:
    costs = {}
    for name, password in [*((name, "a wrong guess") for name in NAMES), ("gone", PASSWORD)]:
        CountingHasher.worked = 0
        with CaptureQueriesContext(connection) as queries:
            assert sign_in(name, password).status_code == 401
        costs[name, password] = (CountingHasher.worked, len(queries))
    assert set(costs.values()) == {(1, 1)}, costs


def test_too_many_guesses_look_the_same_for_an_unknown_name(limits: Any) -> None:
    limits(logins_per_account=2)
    answers = []
    for name in ("ana", "nobody"):
        for _ in range(3):
            answer = sign_in(name)
        answers.append((answer.status_code, answer.json()["code"], answer.json()["message"]))
    assert answers[0] == answers[1]
    assert answers[0][0] == 429


def test_deactivated_people_look_like_unknown_ones() -> None:
    ana, gone = User.objects.get(username="ana"), User.objects.get(username="gone")
    mine = Client(headers={"Authorization": f"Bearer {open_session(user=ana).token}"})
    for path, body in (
        ("/users/{id}/profile", None),
        ("/conversations", {"type": "direct", "participant_ids": ["{id}"]}),
        ("/conversations", {"type": "group", "participant_ids": ["{id}"]}),
    ):
        answers = []
        for user_id in (str(gone.id), str(uuid4())):
            text = json.dumps(body).replace("{id}", user_id) if body else ""
            method = "POST" if body else "GET"
            answer = mine.generic(method, "/api/v1" + path.replace("{id}", user_id), text, "application/json")
            answers.append((answer.status_code, answer.content.replace(user_id.encode(), b"")))
        assert answers[0] == answers[1], path


def test_probing_email_addresses_is_rate_limited(limits: Any) -> None:
    """The answer must say that an address is taken, so the number of tries is limited."""
    limits(email_changes_per_account_per_hour=3)
    token = open_session(user=person("eve")).token
    eve = Client(headers={"Authorization": f"Bearer {token}"})
    statuses = [
        eve.patch("/api/v1/users/me", {"email": f"{name}@example.org"}, "application/json").status_code
        for name in ("ana", "ben", "ana", "cleo", "dan")
    ]
    assert statuses == [409, 200, 409, 429, 429]
    assert eve.patch("/api/v1/users/me", {"about": "still me"}, "application/json").status_code == 200
