"""Sign-up, sign-in and profiles."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts import services
from accounts.errors import TooManyAttempts, WrongCredentials
from accounts.models import User
from realtime.wire.errors import DomainError, Forbidden, Invalid, TryAgain
from tests.making import HERE, PASSWORD, at_once, person


def sign_up(username: str = "ana", password: str = PASSWORD, **fields: Any) -> User:
    return services.register_user(username=username, password=password, address=HERE, **fields)


@pytest.mark.django_db
class TestSigningUp:
    def test_a_person_comes_to_be_and_the_password_is_only_a_hash(self) -> None:
        user = sign_up(email=" ana@example.org ", display_name=" Ana ")
        user.refresh_from_db()
        assert (user.username, user.email, user.display_name) == ("ana", "ana@example.org", "Ana")
        assert PASSWORD not in user.password
        assert user.check_password(PASSWORD)
        assert not user.is_staff

    @pytest.mark.parametrize("password", ["short", "1234567890", "password", "ana-ana-ana"])
    def test_a_weak_password_is_refused(self, password: str) -> None:
        with pytest.raises(Invalid) as refused:
            sign_up("ana-ana-an", password)
        assert set(refused.value.fields or ()) == {"password"}
        assert not User.objects.exists()

    @pytest.mark.parametrize("email", ["ana", "ana@", "a b@example.org"])
    def test_what_is_no_email_address_is_refused(self, email: str) -> None:
        with pytest.raises(Invalid, match="email"):
            sign_up(email=email)

    @pytest.mark.parametrize("taken", [{"username": "ANA"}, {"username": "ben", "email": "Ana@Example.org"}])
    def test_names_and_addresses_are_taken_in_any_case(self, taken: dict[str, str]) -> None:
        sign_up(email="ana@example.org")
        with pytest.raises(DomainError) as refused:
            sign_up(**taken)
        assert refused.value.code == "conflict"
        assert set(refused.value.fields or ()) == {"email" if "email" in taken else "username"}

    def test_the_name_that_is_taken_is_said_to_be_taken_whatever_it_is(self) -> None:
        sign_up("email")
        with pytest.raises(DomainError) as refused:
            sign_up("EMAIL")
        assert set(refused.value.fields or ()) == {"username"}

    def test_many_may_have_no_email_address(self) -> None:
        assert sign_up("ana").email == sign_up("ben").email == ""

    def test_it_can_be_closed(self, settings: Any) -> None:
        settings.SIGN_UP_ENABLED = False
        with pytest.raises(Forbidden):
            sign_up()

    def test_an_address_signs_up_so_many_people_an_hour(self, limits: Any) -> None:
        limits(registrations_per_address_per_hour=2)
        sign_up("ana")
        sign_up("ben")
        with pytest.raises(TooManyAttempts) as refused:
            sign_up("cleo")
        assert 0 < (refused.value.retry_after or 0) <= services.HOUR
        elsewhere = services.register_user(username="cleo", password=PASSWORD, address="192.0.2.8")
        assert elsewhere.username == "cleo"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_want_one_name_at_once_one_gets_it() -> None:
    results = at_once([lambda: sign_up("Ana"), lambda: sign_up("ana")] * 3)
    assert sorted(getattr(result, "code", "made") for result in results) == ["conflict"] * 5 + ["made"]


@pytest.mark.django_db
class TestSigningIn:
    @pytest.fixture(autouse=True)
    def ana(self) -> User:
        return person("ana")

    def test_the_name_counts_in_any_case(self, ana: User) -> None:
        assert services.sign_in(username="ANA", password=PASSWORD, address=HERE) == ana

    def test_unknown_wrong_and_deactivated_look_the_same(self) -> None:
        person("gone", is_active=False)
        refusals = []
        for username, password in (("nobody", PASSWORD), ("ana", "wrong"), ("gone", PASSWORD)):
            with pytest.raises(WrongCredentials) as refused:
                services.sign_in(username=username, password=password, address=HERE)
            refusals.append(refused.value.body())
        assert refusals[0] == refusals[1] == refusals[2]

    def test_an_account_without_a_password_has_no_door(self) -> None:
        User.objects.create_user("bot")
        with pytest.raises(WrongCredentials):
            services.sign_in(username="bot", password="", address=HERE)

    def test_attempts_are_limited_per_account_whatever_the_address_and_the_case(self, limits: Any) -> None:
        limits(logins_per_account=3)
        for number, username in enumerate(("ana", "Ana", "aNa")):
            with pytest.raises(WrongCredentials):
                services.sign_in(username=username, password="wrong", address=f"192.0.2.{number}")
        with pytest.raises(TooManyAttempts):
            services.sign_in(username="ana", password=PASSWORD, address="192.0.2.99")

    def test_letters_that_only_look_alike_are_other_names(self, limits: Any) -> None:
        """In upper case a dotless i equals an I: it would be a second set of attempts at the same account."""
        person("lisi")
        with pytest.raises(WrongCredentials):
            services.sign_in(username="l\u0131\u017f\u0131", password=PASSWORD, address=HERE)

    def test_attempts_are_limited_per_address_whatever_the_account(self, limits: Any) -> None:
        limits(logins_per_address=3)
        for username in ("ana", "ben", "cleo"):
            with pytest.raises(WrongCredentials):
                services.sign_in(username=username, password="wrong", address=HERE)
        with pytest.raises(TooManyAttempts) as refused:
            services.sign_in(username="dan", password="wrong", address=HERE)
        assert 0 < (refused.value.retry_after or 0) <= 15 * 60
        assert services.sign_in(username="ana", password=PASSWORD, address="192.0.2.8")

    def test_the_next_window_is_a_new_chance(self, limits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        limits(logins_per_account=1)
        services.sign_in(username="ana", password=PASSWORD, address=HERE)
        with pytest.raises(TooManyAttempts) as refused:
            services.sign_in(username="ana", password=PASSWORD, address=HERE)
        later = timezone.now() + datetime.timedelta(seconds=(refused.value.retry_after or 0) + 1)
        monkeypatch.setattr("realtime.database.clock.now", lambda: later)
        assert services.sign_in(username="ana", password=PASSWORD, address=HERE)


@pytest.mark.django_db(transaction=True)
def test_attempts_made_at_once_are_all_counted(limits: Any) -> None:
    limits(logins_per_account=5)
    person("ana")
    results = at_once([lambda: services.sign_in(username="ana", password="wrong", address=HERE)] * 16)
    assert sorted(result.code for result in results) == ["rate_limited"] * 11 + ["unauthenticated"] * 5


@pytest.fixture
def cache_away(settings: Any) -> Iterator[None]:
    """A cache server that nobody runs."""
    there = settings.CACHES["default"]
    settings.CACHES = {"default": {**there, "LOCATION": "redis://127.0.0.1:1/0"}}
    yield
    settings.CACHES = {"default": there}


@pytest.mark.django_db
@pytest.mark.usefixtures("cache_away")
def test_an_attempt_that_cannot_be_counted_is_refused_for_now() -> None:
    person("ana")
    with pytest.raises(TryAgain):
        services.sign_in(username="ana", password=PASSWORD, address=HERE)
    with pytest.raises(TryAgain):
        sign_up("ben")


@pytest.mark.django_db
def test_an_attempt_whose_window_ends_meanwhile_counts_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    count = cache.incr

    def ends_first(key: str) -> int:
        cache.delete(key)
        return count(key)

    monkeypatch.setattr(cache, "incr", ends_first)
    assert sign_up("ana").username == "ana"
