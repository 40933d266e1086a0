"""The socket's authenticator: a credential gives user and session, or nothing."""

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client

from accounts import services
from accounts.models import DeviceSession, User
from realtime.registry import Identity, registry
from tests.making import PASSWORD, people, person

pytestmark = pytest.mark.django_db


def test_tokens_resolve_to_user_and_session() -> None:
    ana, ben = people("ana", "ben")
    opened = services.open_session(user=ana)
    others = services.open_session(user=ben)
    found = registry.authenticator.by_tokens([str(opened.token), "another", str(others.token), str(opened.token)])
    mine = Identity(user_id=str(ana.id), session_id=str(opened.session.id))
    assert found == [mine, None, Identity(user_id=str(ben.id), session_id=str(others.session.id)), mine]


def test_tokens_of_ended_sessions_are_refused() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    opened = [services.open_session(user=each) for each in (ana, ben, cleo)]
    services.revoke_session(user_id=cleo.id, session_id=opened[2].session.id)
    User.objects.filter(id=ben.id).update(is_active=False)
    User.objects.filter(id=ana.id).update(password=make_password("another horse"))
    assert registry.authenticator.by_tokens([str(each.token) for each in opened]) == [None] * 3


def test_a_cookie_resolves_to_user_and_session(client: Client) -> None:
    ana = person("ana")
    body = {"username": "ana", "password": PASSWORD, "cookie": True}
    client.post("/api/v1/auth/login", body, content_type="application/json")
    found = registry.authenticator.by_cookie(client.cookies[settings.SESSION_COOKIE_NAME].value)
    assert found == Identity(user_id=str(ana.id), session_id=str(DeviceSession.objects.get().id))
    assert registry.authenticator.by_cookie("another") is None


def test_only_ended_sessions_are_reported_as_ended() -> None:
    ana = person("ana")
    living, ended = services.open_session(user=ana).session, services.open_session(user=ana).session
    services.revoke_session(user_id=ana.id, session_id=ended.id)
    assert registry.authenticator.ended([str(living.id), str(ended.id)]) == {str(ended.id)}
