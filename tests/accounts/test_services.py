"""Sign-up, sign-in, sessions and profiles."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.utils import timezone

from accounts import selectors, services
from accounts.errors import TooManyAttempts, WrongCredentials
from accounts.models import DeviceSession, User, token_hash
from accounts.tasks import purge_sessions
from realtime.errors import DomainError, Forbidden, Invalid, NotFound, TryAgain
from tests.making import PASSWORD, at_once, person

HERE = "192.0.2.7"


@pytest.fixture(autouse=True)
def no_attempts_yet() -> None:
    cache.clear()


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
        monkeypatch.setattr("realtime.clock.now", lambda: later)
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


@pytest.mark.django_db
class TestSessions:
    @pytest.fixture
    def ana(self) -> User:
        return person("ana")

    def test_a_token_opens_its_session_and_is_stored_only_as_a_hash(self, ana: User) -> None:
        opened = services.open_session(user=ana, device_id="d1", device_name="phone")
        token = str(opened.token)
        found = selectors.session_of_token(token)
        assert found is not None
        assert (found.user, found.device_id) == (ana, "d1")
        stored = DeviceSession.objects.filter(id=found.id).values().get()
        assert bytes(stored["token_hash"]) == token_hash(token)
        assert token not in str(stored)
        assert len(token) >= 43, "256 bits"

    @pytest.mark.parametrize("token", ["", "x", "\x00", "ü" * 300])
    def test_no_other_text_opens_it(self, ana: User, token: str) -> None:
        services.open_session(user=ana)
        services.open_session(user=ana, with_token=False)
        assert selectors.session_of_token(token) is None

    def test_nobody_is_found_without_asking_when_there_is_no_id(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            assert selectors.session_of_id(None) is None

    def test_it_ends_when_it_is_revoked_and_only_it(self, ana: User) -> None:
        one, two = services.open_session(user=ana), services.open_session(user=ana)
        services.revoke_session(user_id=ana.id, session_id=one.session.id)
        services.revoke_session(user_id=ana.id, session_id=one.session.id)
        assert selectors.session_of_token(str(one.token)) is None
        assert selectors.session_of_token(str(two.token)) is not None
        assert selectors.ended_sessions([str(one.session.id), str(two.session.id)]) == {str(one.session.id)}

    def test_nobody_ends_the_session_of_somebody_else(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        with pytest.raises(NotFound):
            services.revoke_session(user_id=person("ben").id, session_id=opened.session.id)
        assert selectors.session_of_token(str(opened.token)) is not None

    def test_all_end_when_the_person_is_deactivated_and_stay_ended(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        services.deactivate_user(user_id=ana.id)
        assert selectors.session_of_token(str(opened.token)) is None
        services.reactivate_user(user_id=ana.id)
        assert selectors.session_of_token(str(opened.token)) is None
        assert services.sign_in(username="ana", password=PASSWORD, address=HERE)

    def test_none_counts_while_its_person_is_inactive_by_whatever_way(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        User.objects.filter(id=ana.id).update(is_active=False)
        assert selectors.session_of_token(str(opened.token)) is None
        assert selectors.ended_sessions([str(opened.session.id)]) == {str(opened.session.id)}

    def test_all_end_when_the_password_changes_by_whatever_way(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        ana.set_password("another horse")
        ana.save()
        assert selectors.session_of_token(str(opened.token)) is None
        assert selectors.ended_sessions([str(opened.session.id)]) == {str(opened.session.id)}

    def test_none_counts_though_the_password_changed_behind_our_back(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        User.objects.filter(id=ana.id).update(password=make_password("another horse"))
        ana.refresh_from_db()
        assert selectors.session_of_token(str(opened.token)) is None
        assert selectors.ended_sessions([str(opened.session.id)]) == {str(opened.session.id)}
        assert selectors.sessions_of(ana, current=None) == [], "what has ended is not listed"

    def test_use_is_noted_but_not_each_time(self, ana: User, django_assert_num_queries: Any) -> None:
        opened, _ = services.open_session(user=ana), services.open_session(user=ana)
        token = str(opened.token)
        with django_assert_num_queries(1):
            selectors.session_of_token(token)
        for minutes, queries in ((4.9, 1), (5.1, 2)):
            DeviceSession.objects.update(last_used_at=timezone.now() - datetime.timedelta(minutes=minutes))
            with django_assert_num_queries(queries):
                selectors.session_of_token(token)
        a_moment_ago = timezone.now() - datetime.timedelta(minutes=1)
        assert list(DeviceSession.objects.filter(last_used_at__gt=a_moment_ago)) == [opened.session]

    def test_they_are_listed_newest_first_with_the_one_that_asks(self, ana: User) -> None:
        first = services.open_session(user=ana, device_name="phone").session
        services.open_session(user=ana, device_name="laptop")
        gone = services.open_session(user=ana).session
        services.revoke_session(user_id=ana.id, session_id=gone.id)
        listed = selectors.sessions_of(ana, current=first.id)
        assert [(session.device_name, session.current) for session in listed] == [("laptop", False), ("phone", True)]

    def test_those_of_one_moment_are_listed_in_the_order_of_their_ids(self, ana: User) -> None:
        opened = [services.open_session(user=ana).session for _ in range(3)]
        DeviceSession.objects.update(created_at=timezone.now())
        listed = [session.id for session in selectors.sessions_of(ana, current=None)]
        assert listed == sorted((session.id for session in opened), reverse=True)

    def test_ended_ones_are_purged_when_they_are_old(self, ana: User) -> None:
        old, young = (services.open_session(user=ana).session for _ in range(2))
        services.open_session(user=ana)
        services.revoke_session(user_id=ana.id, session_id=young.id)
        DeviceSession.objects.filter(id=old.id).update(revoked_at=timezone.now() - datetime.timedelta(days=31))
        purge_sessions()
        assert DeviceSession.objects.count() == 2
        assert not DeviceSession.objects.filter(id=old.id).exists()

    def test_a_browser_s_session_is_purged_when_it_ran_out(self) -> None:
        for name, days in (("old", -1), ("young", 1)):
            ends = timezone.now() + datetime.timedelta(days=days)
            Session.objects.create(session_key=name, session_data="", expire_date=ends)
        purge_sessions()
        assert [session.session_key for session in Session.objects.all()] == ["young"]


@pytest.mark.django_db(transaction=True)
def test_an_end_names_the_sessions_that_ended_and_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(services, "announce", told.extend)
    ana = person("ana")
    assert told == [], "whoever is new has nothing to end"
    sessions = [services.open_session(user=ana).session for _ in range(2)]
    assert services.revoke_all_sessions(user_id=ana.id) == 2
    assert sorted(ended.session_id for ended in told) == sorted(str(session.id) for session in sessions)
    assert services.revoke_all_sessions(user_id=ana.id) == 0
    assert len(told) == 2
