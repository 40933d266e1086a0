"""How often somebody may change what is only theirs."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import open_session
from tests.making import group, person

pytestmark = pytest.mark.django_db


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {open_session(user=user).token}"}


def test_changes_of_one_s_own_have_an_allowance_for_each_person(limits: Any) -> None:
    limits(own_changes_per_minute=1, own_changes_burst=3)
    ana, ben = person("ana"), person("ben")
    team = group(ana, ben)
    mine, theirs = bearer(ana), bearer(ben)
    place = f"/api/v1/conversations/{team.id}/me"

    def asks(headers: dict[str, str], method: str, path: str, body: Any = None) -> Any:
        return Client().generic(method, path, body or "", content_type="application/json", headers=headers)

    assert asks(mine, "PATCH", place, '{"pinned": true}').status_code == 200
    assert asks(mine, "POST", "/api/v1/users/block", f'{{"user_id": "{ben.id}"}}').status_code == 201
    assert asks(mine, "DELETE", f"/api/v1/users/block/{ben.id}").status_code == 204
    for method, path, body in (
        ("PATCH", place, '{"pinned": false}'),
        ("POST", "/api/v1/users/block", f'{{"user_id": "{ben.id}"}}'),
        ("DELETE", f"/api/v1/users/block/{ben.id}", ""),
    ):
        refused = asks(mine, method, path, body)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert 50 < refused.json()["retry_after"] <= 60
    assert asks(theirs, "PATCH", place, '{"pinned": true}').status_code == 200
