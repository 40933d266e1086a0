"""17: a new password ends every session that was opened with the old one, however it was set."""

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from accounts import selectors, services
from accounts.models import User
from tests.harness.device import PASSWORD, Device
from tests.harness.http import http_client
from tests.harness.people import People
from tests.harness.rest import refused
from tests.harness.servers import Site
from tests.making import person
from tests.security.staff import Staff

NEW = "another horse, another staple"


async def cookie_of(device: Device) -> dict[str, str]:
    """Sign the person in once more, by cookie; return the cookies."""
    async with http_client() as browser:
        body = {"username": device.username, "password": PASSWORD, "cookie": True}
        await browser.post(f"{device.server.http}/api/v1/auth/login", json=body)
        return dict(browser.cookies)


async def assert_all_are_signed_out(*devices: Device, cookies: dict[str, str]) -> None:
    for device in devices:
        await device.is_closed(4403)
        with refused("unauthenticated", status=401):
            await device.gets("/users/me")
    async with http_client(cookies=cookies) as browser:
        answer = await browser.get(f"{devices[0].server.http}/api/v1/users/me")
        assert answer.status_code == 401


async def signs_in_with(password: str, device: Device) -> int:
    async with http_client() as client:
        body = {"username": device.username, "password": password}
        return (await client.post(f"{device.server.http}/api/v1/auth/login", json=body)).status_code


async def test_a_password_set_by_staff_ends_all_sessions(production: Site, staff: Staff) -> None:
    async with People(production)("ben", "ana") as (_, ana):
        phone = await ana.another_device(server=production.servers[0])
        cookies = await cookie_of(ana)
        await staff.gives_password(ana, NEW)
        await assert_all_are_signed_out(ana, phone, cookies=cookies)
        assert (await signs_in_with(PASSWORD, ana), await signs_in_with(NEW, ana)) == (401, 200)


async def test_a_password_changed_in_the_admin_ends_own_sessions(production: Site, staff: Staff) -> None:
    """The admin has its own page for this."""
    mine = staff.person
    phone = await mine.another_device(server=production.servers[1])
    await mine.connects()
    cookies = await cookie_of(mine)
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    await staff.fills("/admin/password_change/", **form)
    await assert_all_are_signed_out(mine, phone, cookies=cookies)


@pytest.mark.django_db
def test_a_password_set_by_a_command_ends_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    ana = person("ana")
    opened = services.open_session(user=ana)
    monkeypatch.setattr("getpass.getpass", lambda prompt="": NEW)
    call_command("changepassword", "ana", stdout=open("/dev/null", "w"))  # noqa: SIM115
    assert selectors.session_of_token(str(opened.token)) is None
    opened.session.refresh_from_db()
    assert opened.session.revoked_at is not None, "the session must be revoked, so that its sockets are closed at once"


@pytest.mark.django_db
def test_a_password_written_into_the_table_ends_sessions() -> None:
    """Even without Django's set_password: each session has a fingerprint of its password."""
    ana = person("ana")
    opened = services.open_session(user=ana)
    User.objects.filter(id=ana.id).update(password=make_password(NEW))
    assert selectors.session_of_token(str(opened.token)) is None
    assert selectors.ended_sessions([str(opened.session.id)]) == {str(opened.session.id)}


@pytest.mark.django_db
def test_a_new_password_ends_the_admin_session(client: Client) -> None:
    cache.clear()
    root: Any = User.objects.create_superuser("root", PASSWORD)
    client.force_login(root)
    assert client.get("/admin/").status_code == 200
    root.set_password(NEW)
    root.save()
    assert client.get("/admin/").status_code == 302
