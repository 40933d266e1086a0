"""Profiles: updates, and searching for users."""

import pytest

from accounts import selectors, services
from accounts.models import User
from realtime.wire.errors import DomainError, Invalid, NotFound
from tests.making import people, person

pytestmark = pytest.mark.django_db


def test_an_update_changes_only_the_named_fields() -> None:
    ana = person("ana", display_name="Ana", about="tea")
    services.update_profile(user=ana, changes={"about": " coffee "})
    ana.refresh_from_db()
    assert (ana.display_name, ana.about) == ("Ana", "coffee")


def test_a_late_profile_save_does_not_reactivate_the_user() -> None:
    ana = person("ana")
    as_loaded_by_the_request = User.objects.get(id=ana.id)
    services.deactivate_user(user_id=ana.id)
    services.update_profile(user=as_loaded_by_the_request, changes={"about": "still here"})
    ana.refresh_from_db()
    assert not ana.is_active


def test_a_taken_or_invalid_email_is_refused() -> None:
    ana, _ = person("ana"), person("ben", email="ben@example.org")
    with pytest.raises(Invalid, match="email"):
        services.update_profile(user=ana, changes={"email": "nonsense"})
    with pytest.raises(DomainError) as refused:
        services.update_profile(user=ana, changes={"email": "BEN@example.org"})
    assert refused.value.code == "conflict"
    services.update_profile(user=ana, changes={"email": ""})


def test_the_username_replaces_a_missing_display_name() -> None:
    ana = person("ana")
    assert selectors.me_body(ana).display_name == "ana"
    services.update_profile(user=ana, changes={"display_name": "Ana"})
    assert selectors.user_body(ana).display_name == "Ana"
    assert not hasattr(selectors.user_body(ana), "email")


def test_search_matches_parts_of_names_best_first() -> None:
    person("tom", display_name="Anatole")
    ana, _, _ = people("Ana", "ABan", "cleo")
    person("ana-gone", is_active=False)
    found = [user.username for user in selectors.found_users(" AN ", viewer=ana)]
    assert found == ["ABan", "tom"]
    cleo = User.objects.get(username="cleo")
    assert [user.username for user in selectors.found_users("AN", viewer=cleo)] == ["Ana", "ABan", "tom"]


def test_equal_matches_are_sorted_alphabetically() -> None:
    ana, *_ = people("ana", "zoe-b", "adam-b", "b-old", "b-ok")
    found = [user.username for user in selectors.found_users("b", viewer=ana)]
    assert found == ["b-ok", "b-old", "adam-b", "zoe-b"]


@pytest.mark.parametrize("q", ["%", "_", "\\", "'"])
def test_sql_wildcards_in_a_search_are_literal(q: str) -> None:
    ana, _ = people("ana", "ben")
    assert selectors.found_users(q, viewer=ana) == []


def test_search_returns_at_most_twenty() -> None:
    ana = person("ana")
    people(*(f"somebody{number}" for number in range(30)))
    assert len(selectors.found_users("some", viewer=ana)) == 20


def test_deactivated_users_are_not_found() -> None:
    ana, _, gone = person("ana"), person("ben"), person("gone", is_active=False)
    with pytest.raises(NotFound):
        selectors.user_by_id(gone.id)
    assert selectors.user_by_id(ana.id) == ana
    assert selectors.active_users([gone.id, ana.id]) == [ana]
