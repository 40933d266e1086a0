"""One delivery after the other, with providers that say what they are told to."""

import datetime
from typing import Any

import pytest

from accounts.models import DeviceSession
from messaging.services.change import delete_message_for_everyone
from notifications.models import Breaker, Delivery, Preferences, PushDevice
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push
from notifications.services import breakers, collect
from realtime.database import clock
from tests.making import direct, group, people, say
from tests.notifications.by_hand import decided, work_on
from tests.notifications.instant_provider import Provider
from tests.notifications.registering import browser, device_of, iphone, session_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("providers", "without_delay", "progress"),
]


@pytest.mark.parametrize(("counts", "least", "most"), [(True, 14, 30), (False, 149, 300)])
def test_after_many_attempts_the_pause_is_that_of_the_breaker_or_minutes(
    provider: Provider, counts: bool, least: float, most: float
) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    Delivery.objects.update(attempts=12)
    provider.answers = [Busy("away", counts=counts)]
    pause = (work_on(delivery).next_at - clock.now()).total_seconds()
    assert least < pause <= most


def test_failures_between_successes_do_not_add_up() -> None:
    for _ in range(2 * breakers.FAILURES_TO_OPEN):
        breakers.note_success("apns")
        breakers.note_failure("apns")
        assert breakers.may_pass("apns")
    breakers.note_success("apns")
    assert Breaker.objects.get().failures == 0


def test_a_token_that_was_registered_since_its_provider_found_it_dead_stays(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device = device_of(ben)
    talk = direct(ana, ben)
    for since in (device.registered_at - datetime.timedelta(seconds=1), None):
        say(talk, ana)
        delivery = decided()[-1]
        provider.answers = [Dead("Unregistered", since)]
        assert work_on(delivery).outcome == "token_dead"
        assert PushDevice.objects.exists() == (since is not None)


def test_an_older_message_gives_way_to_one_that_was_sent(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    talk = direct(ana, ben)
    say(talk, ana)
    say(talk, ana)
    older, newer = decided()
    assert work_on(newer).outcome == "sent"
    given_way = work_on(older)
    assert (given_way.outcome, given_way.superseded_by) == ("superseded", newer.pk)
    assert len(provider.pushes) == 1


def test_an_older_message_does_not_give_way_to_one_that_was_deleted(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    talk = direct(ana, ben)
    say(talk, ana)
    newest = say(talk, ana)
    older, newer = decided()
    assert work_on(newer).outcome == "sent"
    delete_message_for_everyone(user_id=ana.pk, message_id=newest.message_id)
    assert work_on(older).outcome == "sent"


def test_who_took_longer_than_the_lease_writes_nothing(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    lease = clock.now() + datetime.timedelta(minutes=1)

    def slowly(push: Push) -> Answer:
        Delivery.objects.filter(pk=push.id).update(next_at=lease)  # somebody else has it now
        return Accepted()

    monkeypatch.setattr(provider, "send", slowly)
    after = work_on(delivery)
    assert (after.outcome, after.next_at, after.attempts, after.answered_at) == ("send", lease, 0, None)


def test_what_is_deleted_while_it_is_pushed_is_taken_away(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    sent = say(direct(ana, ben), ana)
    (delivery,) = decided()

    def slowly(push: Push) -> Answer:
        delete_message_for_everyone(user_id=ana.pk, message_id=sent.message_id)
        collect.collect_messages()  # finds no device that shows it
        return Accepted()

    monkeypatch.setattr(provider, "send", slowly)
    assert work_on(delivery).outcome == "sent"
    sync = Delivery.objects.get(kind="sync")
    assert (sync.message_id, sync.next_at is not None) == (sent.message_id, True)


def test_a_device_that_moved_to_another_provider_is_pushed_to_by_that_one(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    session = session_of(ben)
    device_of(ben, iphone(), session)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    device_of(ben, browser("https://push.example.org/1"), session)
    after = work_on(delivery)
    assert (after.outcome, after.provider, after.breaker) == ("sent", "web_push", "web_push:push.example.org")
    assert provider.pushes[0].keys is not None


def test_one_whose_device_is_gone_ends(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device = device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    device.delete()
    assert work_on(delivery).outcome == "token_dead"


def test_who_wants_a_preview_sees_sender_and_text(provider: Provider) -> None:
    ana, ben, cyd = people("ana", "ben", "cyd")
    device_of(ben)
    device_of(cyd)
    Preferences.objects.create(user=ben, preview=True)
    say(group(ana, ben, cyd, name="Trip"), ana, "to the sea")
    shown = {}
    for delivery in decided():
        work_on(delivery)
        shown[delivery.user_id] = (provider.pushes[-1].title, provider.pushes[-1].body)
    assert shown == {ben.pk: ("ana in Trip", "to the sea"), cyd.pk: (None, None)}


@pytest.mark.parametrize("ends", ["revoked", "password changed", "cookie ran out"])
def test_a_device_whose_session_ended_is_pushed_to_no_more(provider: Provider, ends: str, settings: Any) -> None:
    ana, ben = people("ana", "ben")
    device = device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    session = DeviceSession.objects.filter(pk=device.session_id)
    if ends == "revoked":
        session.update(revoked_at=clock.now())
    elif ends == "password changed":
        session.update(password_fingerprint="of another one")
    else:
        long_ago = clock.now() - datetime.timedelta(seconds=settings.SESSION_COOKIE_AGE + 1)
        session.update(token_hash=None, created_at=long_ago)
    assert work_on(delivery).outcome == "token_dead"
    assert provider.pushes == []
