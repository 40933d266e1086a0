"""One's own profile, and finding people."""

import pytest

from accounts import selectors, services
from accounts.models import User
from realtime.wire.errors import DomainError, Invalid, NotFound
from tests.making import people, person

pytestmark = pytest.mark.django_db


def test_what_is_named_changes_and_the_rest_stays() -> None:
    ana = person("ana", display_name="Ana", about="tea")
    services.update_profile(user=ana, changes={"about": " coffee "})
    ana.refresh_from_db()
    assert (ana.display_name, ana.about) == ("Ana", "coffee")


def test_a_profile_that_is_saved_late_does_not_bring_a_deactivated_person_back() -> None:
    ana = person("ana")
    as_loaded_by_the_request = User.objects.get(id=ana.id)
    services.deactivate_user(user_id=ana.id)
    services.update_profile(user=as_loaded_by_the_request, changes={"about": "still here"})
    ana.refresh_from_db()
    assert not ana.is_active


def test_an_email_address_that_is_taken_or_none_is_refused() -> None:
    ana, _ = person("ana"), person("ben", email="ben@example.org")
    with pytest.raises(Invalid, match="email"):
        services.update_profile(user=ana, changes={"email": "nonsense"})
    with pytest.raises(DomainError) as refused:
        services.update_profile(user=ana, changes={"email": "BEN@example.org"})
    assert refused.value.code == "conflict"
    services.update_profile(user=ana, changes={"email": ""})


def test_the_username_stands_in_for_a_missing_display_name() -> None:
    ana = person("ana")
    assert selectors.me_body(ana).display_name == "ana"
    services.update_profile(user=ana, changes={"display_name": "Ana"})
    assert selectors.user_body(ana).display_name == "Ana"
    assert not hasattr(selectors.user_body(ana), "email")


def test_people_are_found_by_a_part_of_their_names_best_first() -> None:
    person("tom", display_name="Anatole")
    ana, _, _ = people("Ana", "ABan", "cleo")
    person("ana-gone", is_active=False)
    found = [user.username for user in selectors.found_users(" AN ", viewer=ana)]
    assert found == ["ABan", "tom"]
    cleo = User.objects.get(username="cleo")
    assert [user.username for user in selectors.found_users("AN", viewer=cleo)] == ["Ana", "ABan", "tom"]


def test_among_equals_names_come_in_the_order_of_the_alphabet() -> None:
    ana, *_ = people("ana", "zoe-b", "adam-b", "b-old", "b-ok")
    found = [user.username for user in selectors.found_users("b", viewer=ana)]
    assert found == ["b-ok", "b-old", "adam-b", "zoe-b"]


@pytest.mark.parametrize("q", ["%", "_", "\\", "'"])
def test_signs_of_the_database_are_letters_like_others(q: str) -> None:
    ana, _ = people("ana", "ben")
    assert selectors.found_users(q, viewer=ana) == []


def test_at_most_twenty_are_found() -> None:
    ana = person("ana")
    people(*(f"somebody{number}" for number in range(30)))
    assert len(selectors.found_users("some", viewer=ana)) == 20


def test_nobody_active_is_nobody() -> None:
    ana, _, gone = person("ana"), person("ben"), person("gone", is_active=False)
    with pytest.raises(NotFound):
        selectors.user_by_id(gone.id)
    assert selectors.user_by_id(ana.id) == ana
    assert selectors.active_users([gone.id, ana.id]) == [ana]
