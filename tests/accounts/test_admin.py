"""Staff manage users and their sessions in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import selectors, services
from accounts.models import DeviceSession, User
from tests.making import PASSWORD, person

pytestmark = pytest.mark.django_db
LIST = reverse("admin:accounts_user_changelist")


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root-password")


@pytest.fixture
def staff(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def ana() -> User:
    return person("ana", display_name="Ana")


@pytest.fixture
def token(ana: User) -> str:
    return str(services.open_session(user=ana, device_name="phone").token)


def page_of(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def act(client: Client, action: str, *users: User) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": [str(user.pk) for user in users]}, follow=True)


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    form = {"username": user.username, "display_name": user.display_name, "is_active": "on", **changes}
    return {name: value for name, value in form.items() if value is not None}


def is_signed_in(token: str) -> bool:
    return selectors.session_of_token(token) is not None


def test_a_user_created_by_staff_can_sign_in(staff: Client) -> None:
    form = {"username": "cleo", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert staff.post(reverse("admin:accounts_user_add"), form).status_code == 302
    assert services.sign_in(username="Cleo", password=PASSWORD, address="10.0.0.1").username == "cleo"


@pytest.mark.parametrize("username", ["ANA", "with space", "-x", "", "x" * 65, "ünï"])
def test_an_invalid_username_is_refused_in_both_forms(username: str, staff: Client, ana: User) -> None:
    form = {"username": username, "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert staff.post(reverse("admin:accounts_user_add"), form).context["errors"]
    assert User.objects.count() == 2
    ben = person("ben")
    assert staff.post(page_of(ben), form_of(ben, username=username)).context["errors"]


def test_changing_a_profile_keeps_sessions(staff: Client, ana: User, token: str) -> None:
    assert staff.post(page_of(ana), form_of(ana, username="Ana", about="new")).status_code == 302
    ana.refresh_from_db()
    assert (ana.username, ana.about) == ("Ana", "new")
    assert is_signed_in(token)


def test_deactivation_in_the_form_ends_sessions_for_good(staff: Client, ana: User, token: str) -> None:
    assert staff.post(page_of(ana), form_of(ana, is_active=None)).status_code == 302
    assert not is_signed_in(token)
    assert staff.post(page_of(ana), form_of(ana)).status_code == 302
    assert not is_signed_in(token), "reactivation must not revive old sessions"


def test_a_new_password_ends_all_sessions(staff: Client, ana: User, token: str) -> None:
    address = reverse("admin:auth_user_password_change", args=[ana.pk])
    assert staff.get(address).status_code == 200
    form = {"usable_password": "true", "password1": "another horse", "password2": "another horse"}
    assert staff.post(address, form | {"set-password": ""}).status_code == 302
    assert not is_signed_in(token)
    assert DeviceSession.objects.get(user=ana).revoked_at is not None
    assert services.sign_in(username="ana", password="another horse", address="10.0.0.1") == ana


def test_removing_the_password_ends_all_sessions(staff: Client, ana: User, token: str) -> None:
    address = reverse("admin:auth_user_password_change", args=[ana.pk])
    assert staff.post(address, {"usable_password": "false", "unset-password": ""}).status_code == 302
    ana.refresh_from_db()
    assert not ana.has_usable_password()
    assert not is_signed_in(token)


def test_a_password_is_never_shown(staff: Client, ana: User) -> None:
    shown = staff.get(page_of(ana)).content.decode()
    assert ana.password not in shown
    assert ana.password.split("$")[-1] not in shown


def test_actions_deactivate_and_reactivate_others(staff: Client, root: User, ana: User, token: str) -> None:
    assert act(staff, "deactivate", ana, root).status_code == 200
    ana.refresh_from_db()
    root.refresh_from_db()
    assert not ana.is_active
    assert root.is_active, "staff cannot deactivate themselves"
    assert not is_signed_in(token)
    act(staff, "reactivate", ana)
    ana.refresh_from_db()
    assert ana.is_active
    assert not is_signed_in(token)


def test_after_revoking_sessions_the_user_may_sign_in_again(staff: Client, ana: User, token: str) -> None:
    act(staff, "revoke_sessions", ana)
    assert not is_signed_in(token)
    assert services.sign_in(username="ana", password=PASSWORD, address="10.0.0.1") == ana


def test_revoking_one_session_keeps_the_other(staff: Client, ana: User, token: str) -> None:
    other = services.open_session(user=ana, device_name="laptop")
    chosen = {"action": "revoke", "_selected_action": [str(other.session.pk)]}
    staff.post(reverse("admin:accounts_devicesession_changelist"), chosen)
    assert is_signed_in(token)
    assert not is_signed_in(str(other.token))


def test_sessions_are_filtered_by_state_and_show_no_hash(staff: Client, ana: User, token: str) -> None:
    address = reverse("admin:accounts_devicesession_changelist")

    def states() -> list[int]:
        pages = [staff.get(address, {"state": state}) for state in ("living", "revoked", "deactivated")]
        return [len(page.context["cl"].result_list) for page in pages]

    assert states() == [1, 0, 0]
    ana.is_active = False
    ana.save()
    assert states() == [0, 0, 1]
    services.revoke_all_sessions(user_id=ana.pk)
    assert states() == [0, 1, 1]
    session = DeviceSession.objects.get()
    assert session.token_hash is not None
    for page in (address, reverse("admin:accounts_devicesession_change", args=[session.pk])):
        shown = staff.get(page).content.decode()
        assert bytes(session.token_hash).hex() not in shown
        assert session.password_fingerprint not in shown


def test_limited_staff_cannot_escalate_their_rights(root: User, ana: User) -> None:
    helper = person("helper", is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["change_user", "view_user", "add_user"]))
    client = Client()
    client.force_login(helper)
    client.post(page_of(helper), form_of(helper, is_superuser="on", is_staff="on", about="me"))
    helper.refresh_from_db()
    assert helper.about == "me"
    assert not helper.is_superuser
    assert client.post(page_of(root), form_of(root, display_name="owned")).status_code == 403
    assert client.get(reverse("admin:auth_user_password_change", args=[root.pk])).status_code == 403
    act(client, "deactivate", root, ana)
    root.refresh_from_db()
    ana.refresh_from_db()
    assert root.is_active
    assert not ana.is_active


def test_admin_sign_in_attempts_are_limited(root: User, settings: Any) -> None:
    client, address = Client(), reverse("admin:login")
    for _ in range(settings.LIMITS.logins_per_account):
        assert b"correct username" in client.post(address, {"username": "root", "password": "guess"}).content
    refused = client.post(address, {"username": "root", "password": "root-password"})
    assert b"Too many failed sign-ins to this account" in refused.content
    cache.clear()
    assert client.post(address, {"username": "ROOT", "password": "root-password"}).status_code == 302


@pytest.mark.parametrize("username", ["", "nobody"])
def test_an_unknown_username_cannot_sign_in_to_the_admin(username: str) -> None:
    answer = Client().post(reverse("admin:login"), {"username": username, "password": "root-password"})
    assert answer.status_code == 200
    assert answer.context["form"].errors
