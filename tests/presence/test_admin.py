"""Connections in the admin: searchable by user, and read-only."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from presence.models import Connection, ServerProcess
from tests.making import people, person

pytestmark = pytest.mark.django_db

LIST = "admin:presence_connection_changelist"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(person("staff", is_staff=True, is_superuser=True))
    return client


def connection_of(user: User, close_code: int) -> Connection:
    now = timezone.now()
    process = ServerProcess.objects.create(name="host, process 7", started_at=now, seen_at=now + timedelta(days=1))
    return Connection.objects.create(
        id=uuid4(), process_id=process.pk, user=user, session_id=uuid4(), opened_at=now, closed_at=now,
        close_code=close_code,
    )  # fmt: skip


def test_connections_are_found_by_username_and_user_id(staff: Client) -> None:
    ana, ben = people("ana", "ben")
    hers, his = connection_of(ana, 1006), connection_of(ben, 4410)
    shown = staff.get(reverse(LIST), {"q": "ben"}).content.decode()
    assert str(his.session_id) in shown
    assert "4410" in shown
    assert str(hers.session_id) not in shown
    assert str(hers.session_id) in staff.get(reverse(LIST), {"q": str(ana.pk)}).content.decode()


def test_connection_records_are_read_only(staff: Client) -> None:
    (ben,) = people("ben")
    connection = connection_of(ben, 1000)
    page = reverse("admin:presence_connection_change", args=[connection.pk])
    assert staff.get(page).status_code == 200
    assert staff.post(page, {"close_code": 1}).status_code == 403
    assert staff.get(reverse("admin:presence_serverprocess_changelist")).status_code == 200
