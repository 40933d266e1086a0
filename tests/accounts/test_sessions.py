"""Device sessions: opened, used, listed, ended, purged."""

import datetime
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import selectors, services
from accounts.models import DeviceSession, User, token_hash
from accounts.tasks import purge_sessions
from realtime.wire.errors import NotFound
from tests.making import HERE, PASSWORD, person


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
    def test_an_invalid_token_finds_no_session(self, ana: User, token: str) -> None:
        services.open_session(user=ana)
        services.open_session(user=ana, with_token=False)
        assert selectors.session_of_token(token) is None

    def test_looking_up_no_id_needs_no_query(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            assert selectors.session_of_id(None) is None

    def test_revoking_ends_only_the_named_session(self, ana: User) -> None:
        one, two = services.open_session(user=ana), services.open_session(user=ana)
        services.revoke_session(user_id=ana.id, session_id=one.session.id)
        services.revoke_session(user_id=ana.id, session_id=one.session.id)
        assert selectors.session_of_token(str(one.token)) is None
        assert selectors.session_of_token(str(two.token)) is not None
        assert selectors.ended_sessions([str(one.session.id), str(two.session.id)]) == {str(one.session.id)}

    def test_another_users_session_cannot_be_revoked(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        with pytest.raises(NotFound):
            services.revoke_session(user_id=person("ben").id, session_id=opened.session.id)
        assert selectors.session_of_token(str(opened.token)) is not None

    def test_deactivation_ends_all_sessions_for_good(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        services.deactivate_user(user_id=ana.id)
        assert selectors.session_of_token(str(opened.token)) is None
        services.reactivate_user(user_id=ana.id)
        assert selectors.session_of_token(str(opened.token)) is None
        assert services.sign_in(username="ana", password=PASSWORD, address=HERE)

    def test_sessions_are_invalid_while_the_user_row_is_inactive(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        User.objects.filter(id=ana.id).update(is_active=False)
        assert selectors.session_of_token(str(opened.token)) is None
        assert selectors.ended_sessions([str(opened.session.id)]) == {str(opened.session.id)}

    def test_saving_a_new_password_ends_all_sessions(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        ana.set_password("another horse")
        ana.save()
        assert selectors.session_of_token(str(opened.token)) is None
        assert selectors.ended_sessions([str(opened.session.id)]) == {str(opened.session.id)}

    def test_a_password_changed_in_the_database_invalidates_sessions(self, ana: User) -> None:
        opened = services.open_session(user=ana)
        User.objects.filter(id=ana.id).update(password=make_password("another horse"))
        ana.refresh_from_db()
        assert selectors.session_of_token(str(opened.token)) is None
        assert selectors.ended_sessions([str(opened.session.id)]) == {str(opened.session.id)}
        assert selectors.sessions_of(ana, current=None) == [], "an ended session is not listed"

    def test_browser_sessions_expire_with_the_cookie_and_tokens_never(self, ana: User) -> None:
        phone = services.open_session(user=ana).session
        browser = services.open_session(user=ana, with_token=False).session
        both = [str(phone.id), str(browser.id)]

        def opened_seconds_ago(seconds: float) -> None:
            DeviceSession.objects.update(created_at=timezone.now() - datetime.timedelta(seconds=seconds))

        opened_seconds_ago(settings.SESSION_COOKIE_AGE - 60)
        assert selectors.ended_sessions(both) == set()
        assert selectors.session_of_id(str(browser.id)) == browser
        opened_seconds_ago(settings.SESSION_COOKIE_AGE + 1)
        assert selectors.ended_sessions(both) == {str(browser.id)}
        assert selectors.session_of_id(str(browser.id)) is None
        assert [session.id for session in selectors.sessions_of(ana, current=None)] == [phone.id]
        purge_sessions()
        assert DeviceSession.objects.count() == 2
        opened_seconds_ago(settings.SESSION_COOKIE_AGE + 31 * 24 * 3600)
        purge_sessions()
        assert list(DeviceSession.objects.all()) == [phone]

    def test_last_use_is_saved_every_five_minutes(self, ana: User, django_assert_num_queries: Any) -> None:
        opened, _ = services.open_session(user=ana), services.open_session(user=ana)
        token = str(opened.token)
        with django_assert_num_queries(1):
            services.recognise_token(token)
        for minutes, queries in ((4.9, 1), (5.1, 2)):
            DeviceSession.objects.update(last_used_at=timezone.now() - datetime.timedelta(minutes=minutes))
            with django_assert_num_queries(queries):
                services.recognise_token(token)
        a_moment_ago = timezone.now() - datetime.timedelta(minutes=1)
        assert list(DeviceSession.objects.filter(last_used_at__gt=a_moment_ago)) == [opened.session]

    def test_use_by_a_socket_is_saved_every_five_minutes(self, ana: User, django_assert_num_queries: Any) -> None:
        opened, _ = services.open_session(user=ana), services.open_session(user=ana)
        for minutes, queries in ((4.9, 1), (5.1, 2)):
            DeviceSession.objects.update(last_used_at=timezone.now() - datetime.timedelta(minutes=minutes))
            with django_assert_num_queries(queries):
                [found] = services.recognise_tokens([str(opened.token)])
            assert found is not None
            assert found[:2] == (ana.id, opened.session.id)
        a_moment_ago = timezone.now() - datetime.timedelta(minutes=1)
        assert list(DeviceSession.objects.filter(last_used_at__gt=a_moment_ago)) == [opened.session]

    def test_sessions_are_listed_newest_first_and_the_current_one_marked(self, ana: User) -> None:
        first = services.open_session(user=ana, device_name="phone").session
        services.open_session(user=ana, device_name="laptop")
        gone = services.open_session(user=ana).session
        services.revoke_session(user_id=ana.id, session_id=gone.id)
        listed = selectors.sessions_of(ana, current=first.id)
        assert [(session.device_name, session.current) for session in listed] == [("laptop", False), ("phone", True)]

    def test_sessions_of_the_same_moment_are_listed_by_id(self, ana: User) -> None:
        opened = [services.open_session(user=ana).session for _ in range(3)]
        DeviceSession.objects.update(created_at=timezone.now())
        listed = [session.id for session in selectors.sessions_of(ana, current=None)]
        assert listed == sorted((session.id for session in opened), reverse=True)

    def test_old_ended_sessions_are_purged(self, ana: User) -> None:
        old, young = (services.open_session(user=ana).session for _ in range(2))
        services.open_session(user=ana)
        services.revoke_session(user_id=ana.id, session_id=young.id)
        DeviceSession.objects.filter(id=old.id).update(revoked_at=timezone.now() - datetime.timedelta(days=31))
        purge_sessions()
        assert DeviceSession.objects.count() == 2
        assert not DeviceSession.objects.filter(id=old.id).exists()

    def test_expired_browser_sessions_are_purged(self) -> None:
        for name, days in (("old", -1), ("young", 1)):
            ends = timezone.now() + datetime.timedelta(days=days)
            Session.objects.create(session_key=name, session_data="", expire_date=ends)
        purge_sessions()
        assert [session.session_key for session in Session.objects.all()] == ["young"]


@pytest.mark.django_db(transaction=True)
def test_ending_all_sessions_announces_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    announced: list[Any] = []
    monkeypatch.setattr(services, "announce", announced.extend)
    ana = person("ana")
    assert announced == [], "creating a user ends no session"
    sessions = [services.open_session(user=ana).session for _ in range(2)]
    assert services.revoke_all_sessions(user_id=ana.id) == 2
    assert sorted(ended.session_id for ended in announced) == sorted(str(session.id) for session in sessions)
    assert services.revoke_all_sessions(user_id=ana.id) == 0
    assert len(announced) == 2
