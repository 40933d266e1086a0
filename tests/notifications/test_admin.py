"""The admin shows notification preferences, and changes them only through services."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from notifications.models import Digest, Preferences
from tests.making import people, person

pytestmark = pytest.mark.django_db
DIGESTS = "admin:notifications_digest_changelist"


@pytest.fixture
def ana() -> Preferences:
    return Preferences.objects.create(user=person("ana"), level="mentions")


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "root-password"))
    return client


def stop_mail(client: Client, user: User) -> None:
    client.post(reverse(DIGESTS), {"action": "stop_mail", "_selected_action": str(user.pk)})


def test_preferences_are_read_only_in_the_admin(staff: Client, ana: Preferences) -> None:
    page = reverse("admin:notifications_preferences_change", args=[ana.pk])
    assert staff.get(page).status_code == 200
    forged = {"level": "none", "push": "on", "quiet_days": "0", "time_zone": "UTC", "preview": "on"}
    assert staff.post(page, forged).status_code == 403
    assert staff.get(reverse("admin:notifications_preferences_add")).status_code == 403
    ana.refresh_from_db()
    assert (ana.level, ana.preview) == ("mentions", False)


def test_staff_can_stop_the_mail_of_chosen_users(staff: Client, ana: Preferences) -> None:
    ben, cyd = people("ben", "cyd")
    for user in (ana.user, ben, cyd):
        Digest.objects.create(user=user)
    stop_mail(staff, ana.user)
    stop_mail(staff, ben)
    wanted = Preferences.objects.values_list("user__username", "email", "level")
    assert sorted(wanted) == [("ana", False, "mentions"), ("ben", False, "all")]


def test_staff_with_view_rights_only_cannot_stop_mail(ana: Preferences) -> None:
    Digest.objects.create(user=ana.user)
    reader = person("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_digest"))
    client = Client()
    client.force_login(reader)
    assert client.get(reverse(DIGESTS)).status_code == 200
    stop_mail(client, ana.user)
    ana.refresh_from_db()
    assert ana.email
