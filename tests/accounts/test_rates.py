"""Rate limits for changes to one's own settings and blocks."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import open_session
from tests.making import group, person

pytestmark = pytest.mark.django_db


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {open_session(user=user).token}"}


def test_own_changes_share_one_limit_per_user(limits: Any) -> None:
    limits(own_changes_per_minute=1, own_changes_burst=3)
    ana, ben = person("ana"), person("ben")
    team = group(ana, ben)
    mine, theirs = bearer(ana), bearer(ben)
    membership = f"/api/v1/conversations/{team.id}/me"

    def request(headers: dict[str, str], method: str, path: str, body: Any = None) -> Any:
        return Client().generic(method, path, body or "", content_type="application/json", headers=headers)

    assert request(mine, "PATCH", membership, '{"pinned": true}').status_code == 200
    assert request(mine, "POST", "/api/v1/users/block", f'{{"user_id": "{ben.id}"}}').status_code == 201
    assert request(mine, "DELETE", f"/api/v1/users/block/{ben.id}").status_code == 204
    for method, path, body in (
        ("PATCH", membership, '{"pinned": false}'),
        ("POST", "/api/v1/users/block", f'{{"user_id": "{ben.id}"}}'),
        ("DELETE", f"/api/v1/users/block/{ben.id}", ""),
    ):
        refused = request(mine, method, path, body)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert 50 < refused.json()["retry_after"] <= 60
    assert request(theirs, "PATCH", membership, '{"pinned": true}').status_code == 200
