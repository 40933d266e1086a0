"""Sign-up, sign-in and profiles."""

import datetime
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
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
    def test_sign_up_creates_a_user_and_hashes_the_password(self) -> None:
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
    def test_an_invalid_email_is_refused(self, email: str) -> None:
        with pytest.raises(Invalid, match="email"):
            sign_up(email=email)

    @pytest.mark.parametrize("taken", [{"username": "ANA"}, {"username": "ben", "email": "Ana@Example.org"}])
    def test_usernames_and_emails_are_unique_ignoring_case(self, taken: dict[str, str]) -> None:
        sign_up(email="ana@example.org")
        with pytest.raises(DomainError) as refused:
            sign_up(**taken)
        assert refused.value.code == "conflict"
        assert set(refused.value.fields or ()) == {"email" if "email" in taken else "username"}

    def test_a_taken_username_that_reads_email_is_reported_as_username(self) -> None:
        sign_up("email")
        with pytest.raises(DomainError) as refused:
            sign_up("EMAIL")
        assert set(refused.value.fields or ()) == {"username"}

    def test_several_users_may_have_no_email(self) -> None:
        assert sign_up("ana").email == sign_up("ben").email == ""

    @pytest.mark.parametrize("username", ["admin", "Root", "SUPPORT", "all", "here", "everyone"])
    def test_a_reserved_username_is_refused_but_staff_can_create_it(self, username: str) -> None:
        with pytest.raises(Invalid, match="username: is reserved"):
            sign_up(username)
        assert User.objects.create_user(username)

    @pytest.mark.parametrize("name", ["a\nb", "\u202eana", "a\u2066b", "\u200b", "\u3164", "a\x07"])
    def test_a_display_name_that_misleads_is_refused(self, name: str) -> None:
        with pytest.raises(Invalid, match="display_name"):
            services.register_user(username="ana", password=PASSWORD, address=HERE, display_name=name)
        with pytest.raises(Invalid, match="display_name"):
            services.update_profile(user=person("ben"), changes={"display_name": name})

    def test_sign_up_can_be_disabled(self, settings: Any) -> None:
        settings.SIGN_UP_ENABLED = False
        with pytest.raises(Forbidden):
            sign_up()

    def test_sign_ups_are_limited_per_address_and_hour(self, limits: Any) -> None:
        limits(registrations_per_address_per_hour=2)
        sign_up("ana")
        sign_up("ben")
        with pytest.raises(TooManyAttempts) as refused:
            sign_up("cleo")
        assert 0 < (refused.value.retry_after or 0) <= services.HOUR
        elsewhere = services.register_user(username="cleo", password=PASSWORD, address="192.0.2.8")
        assert elsewhere.username == "cleo"


@pytest.mark.django_db(transaction=True)
def test_concurrent_sign_ups_for_one_name_create_one_user() -> None:
    results = at_once([lambda: sign_up("Ana"), lambda: sign_up("ana")] * 3)
    assert sorted(getattr(result, "code", "made") for result in results) == ["conflict"] * 5 + ["made"]


@pytest.mark.django_db
class TestSigningIn:
    @pytest.fixture(autouse=True)
    def ana(self) -> User:
        return person("ana")

    def test_the_username_is_accepted_in_any_case(self, ana: User) -> None:
        assert services.sign_in(username="ANA", password=PASSWORD, address=HERE) == ana

    def test_a_space_around_the_username_is_ignored(self, ana: User) -> None:
        assert services.sign_in(username=" ana ", password=PASSWORD, address=HERE) == ana

    def test_a_password_is_accepted_composed_and_decomposed(self) -> None:
        composed, decomposed = "caf\u00e9 cr\u00e8me", "cafe\u0301 cre\u0300me"
        for name, chosen in (("ben", composed), ("cleo", decomposed)):
            user = sign_up(name, chosen)
            for typed in (composed, decomposed):
                assert services.sign_in(username=name, password=typed, address=HERE) == user

    def test_a_decomposed_password_of_an_older_release_is_accepted(self, ana: User) -> None:
        User.objects.filter(pk=ana.pk).update(password=make_password("cafe\u0301 cre\u0300me"))
        assert services.sign_in(username="ana", password="cafe\u0301 cre\u0300me", address=HERE) == ana

    def test_unknown_wrong_and_deactivated_get_the_same_answer(self) -> None:
        person("gone", is_active=False)
        refusals = []
        for username, password in (("nobody", PASSWORD), ("ana", "wrong"), ("gone", PASSWORD)):
            with pytest.raises(WrongCredentials) as refused:
                services.sign_in(username=username, password=password, address=HERE)
            refusals.append(refused.value.body())
        assert refusals[0] == refusals[1] == refusals[2]

    def test_an_account_without_a_password_cannot_sign_in(self) -> None:
        User.objects.create_user("bot")
        with pytest.raises(WrongCredentials):
            services.sign_in(username="bot", password="", address=HERE)

    def test_failures_are_limited_per_account_across_addresses_and_case(self, limits: Any) -> None:
        limits(logins_per_account_everywhere=3)
        for number, username in enumerate(("ana", "Ana", "aNa")):
            with pytest.raises(WrongCredentials):
                services.sign_in(username=username, password="wrong", address=f"192.0.2.{number}")
        with pytest.raises(TooManyAttempts):
            services.sign_in(username="ana", password=PASSWORD, address="192.0.2.99")

    def test_successes_are_not_counted(self, limits: Any) -> None:
        limits(logins_per_account=2, logins_per_account_everywhere=2, logins_per_address=2)
        for _ in range(4):
            services.sign_in(username="ana", password=PASSWORD, address=HERE)
            services.sign_in(username="ana", password=PASSWORD, address=HERE, device_id="phone-of-ana")

    def test_strangers_lock_out_neither_the_owner_elsewhere_nor_their_devices(self, ana: User, limits: Any) -> None:
        limits(logins_per_account=2, logins_per_account_everywhere=4)
        services.open_session(user=ana, device_id="phone-of-ana")

        def guess(address: str, device_id: str = "") -> str:
            with pytest.raises(DomainError) as refused:
                services.sign_in(username="ana", password="wrong", address=address, device_id=device_id)
            return refused.value.code

        assert [guess("192.0.2.1") for _ in range(4)] == ["unauthenticated"] * 2 + ["rate_limited"] * 2
        assert services.sign_in(username="ana", password=PASSWORD, address="192.0.2.9") == ana
        assert [guess(f"192.0.2.{number}") for number in range(2, 6)] == ["unauthenticated"] * 2 + ["rate_limited"] * 2
        with pytest.raises(TooManyAttempts):
            services.sign_in(username="ana", password=PASSWORD, address="192.0.2.9", device_id="new")
        mine = {"username": "ana", "password": PASSWORD, "device_id": "phone-of-ana"}
        assert services.sign_in(**mine, address="192.0.2.1") == ana
        assert [guess("192.0.2.9", "phone-of-ana") for _ in range(3)] == ["unauthenticated"] * 2 + ["rate_limited"]

    def test_a_device_of_somebody_else_is_not_known(self, limits: Any) -> None:
        limits(logins_per_account=1)
        services.open_session(user=person("eve"), device_id="phone-of-eve")
        for _ in range(2):
            with pytest.raises(DomainError) as refused:
                services.sign_in(username="ana", password="wrong", address=HERE, device_id="phone-of-eve")
        assert refused.value.code == "rate_limited"

    def test_the_addresses_of_one_ipv6_network_are_counted_together(self, limits: Any) -> None:
        limits(logins_per_address=3)
        for number in range(3):
            with pytest.raises(WrongCredentials):
                services.sign_in(username=f"p{number}", password="wrong", address=f"2001:db8:0:1::{number}")
        with pytest.raises(TooManyAttempts):
            services.sign_in(username="p4", password="wrong", address="2001:db8:0:1:ffff::1")
        with pytest.raises(WrongCredentials):
            services.sign_in(username="p4", password="wrong", address="2001:db8:0:2::1")

    def test_the_refusal_says_what_was_too_much_and_when_to_come_back(self, limits: Any) -> None:
        limits(logins_per_account=1)
        for _ in range(2):
            with pytest.raises(DomainError) as refused:
                services.sign_in(username="ana", password="wrong", address=HERE)
        assert re.fullmatch(
            r"Too many failed sign-ins to this account; try again in (a minute|1?\d minutes)\.", refused.value.message
        )

    def test_lookalike_letters_are_another_username(self, limits: Any) -> None:
        """A dotless i in upper case equals I: with it, one account could be tried under two counters."""
        person("lisi")
        with pytest.raises(WrongCredentials):
            services.sign_in(username="l\u0131\u017f\u0131", password=PASSWORD, address=HERE)

    def test_attempts_are_limited_per_address_across_accounts(self, limits: Any) -> None:
        limits(logins_per_address=3)
        for username in ("ana", "ben", "cleo"):
            with pytest.raises(WrongCredentials):
                services.sign_in(username=username, password="wrong", address=HERE)
        with pytest.raises(TooManyAttempts) as refused:
            services.sign_in(username="dan", password="wrong", address=HERE)
        assert 0 < (refused.value.retry_after or 0) <= 15 * 60
        assert services.sign_in(username="ana", password=PASSWORD, address="192.0.2.8")

    def test_attempts_are_allowed_again_in_the_next_window(self, limits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        limits(logins_per_account=1)
        with pytest.raises(WrongCredentials):
            services.sign_in(username="ana", password="wrong", address=HERE)
        with pytest.raises(TooManyAttempts) as refused:
            services.sign_in(username="ana", password=PASSWORD, address=HERE)
        later = timezone.now() + datetime.timedelta(seconds=(refused.value.retry_after or 0) + 1)
        monkeypatch.setattr("realtime.database.clock.now", lambda: later)
        assert services.sign_in(username="ana", password=PASSWORD, address=HERE)


@pytest.mark.django_db(transaction=True)
def test_concurrent_attempts_are_all_counted(limits: Any) -> None:
    limits(logins_per_account=5)
    person("ana")
    results = at_once([lambda: services.sign_in(username="ana", password="wrong", address=HERE)] * 16)
    assert sorted(result.code for result in results) == ["rate_limited"] * 11 + ["unauthenticated"] * 5


@pytest.fixture
def cache_away(settings: Any) -> Iterator[None]:
    """A cache server that does not run."""
    there = settings.CACHES["default"]
    settings.CACHES = {"default": {**there, "LOCATION": "redis://127.0.0.1:1/0"}}
    yield
    settings.CACHES = {"default": there}


@pytest.mark.django_db
@pytest.mark.usefixtures("cache_away")
def test_without_the_cache_attempts_get_try_again() -> None:
    person("ana")
    with pytest.raises(TryAgain):
        services.sign_in(username="ana", password=PASSWORD, address=HERE)
    with pytest.raises(TryAgain):
        sign_up("ben")


@pytest.mark.django_db
def test_a_window_that_ends_during_counting_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    count = cache.incr

    def ends_first(key: str) -> int:
        cache.delete(key)
        return count(key)

    monkeypatch.setattr(cache, "incr", ends_first)
    assert sign_up("ana").username == "ana"
