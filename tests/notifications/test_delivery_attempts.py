"""Attempts of single deliveries, with providers that answer as the test demands."""

import datetime
from typing import Any

import pytest

from accounts.models import DeviceSession
from messaging.services.change import delete_message_for_everyone
from notifications.models import Breaker, Delivery, Preferences, PushDevice
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push
from notifications.services import breakers, collect
from realtime.database import clock
from tests.making import direct, group, people, read, say
from tests.notifications.instant_provider import Provider
from tests.notifications.registering import browser, device_of, iphone, session_of
from tests.notifications.worker_steps import decided, work_on

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("providers", "without_delay", "progress"),
]


@pytest.mark.parametrize(("counts", "least", "most"), [(True, 14, 30), (False, 149, 300)])
def test_after_many_attempts_the_pause_reaches_its_maximum(
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


def test_a_success_resets_the_count_of_failures() -> None:
    for _ in range(2 * breakers.FAILURES_TO_OPEN):
        breakers.note_success("apns")
        breakers.note_failure("apns")
        assert breakers.may_pass("apns")
    breakers.note_success("apns")
    assert Breaker.objects.get().failures == 0


def test_a_token_registered_after_it_was_found_dead_stays(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device = device_of(ben)
    talk = direct(ana, ben)
    for since in (device.registered_at - datetime.timedelta(seconds=1), None):
        say(talk, ana)
        delivery = decided()[-1]
        provider.answers = [Dead("Unregistered", since)]
        assert work_on(delivery).outcome == "token_dead"
        assert PushDevice.objects.exists() == (since is not None)


def test_an_older_message_is_superseded_by_a_sent_one(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    talk = direct(ana, ben)
    say(talk, ana)
    say(talk, ana)
    older, newer = decided()
    assert work_on(newer).outcome == "sent"
    superseded = work_on(older)
    assert (superseded.outcome, superseded.superseded_by) == ("superseded", newer.pk)
    assert len(provider.pushes) == 1


def test_an_older_message_is_not_superseded_by_a_deleted_one(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    talk = direct(ana, ben)
    say(talk, ana)
    newest = say(talk, ana)
    older, newer = decided()
    assert work_on(newer).outcome == "sent"
    delete_message_for_everyone(user_id=ana.pk, message_id=newest.message_id)
    assert work_on(older).outcome == "sent"


def test_a_worker_that_lost_its_lease_writes_nothing(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    lease = clock.now() + datetime.timedelta(minutes=1)

    def slowly(push: Push) -> Answer:
        Delivery.objects.filter(pk=push.id).update(next_at=lease)  # another worker has it now
        return Accepted()

    monkeypatch.setattr(provider, "send", slowly)
    after = work_on(delivery)
    assert (after.outcome, after.next_at, after.attempts, after.answered_at) == ("send", lease, 0, None)


def test_a_message_deleted_during_its_push_is_withdrawn(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    sent = say(direct(ana, ben), ana)
    (delivery,) = decided()

    def slowly(push: Push) -> Answer:
        delete_message_for_everyone(user_id=ana.pk, message_id=sent.message_id)
        collect.collect_messages()  # finds no device that shows the message yet
        return Accepted()

    monkeypatch.setattr(provider, "send", slowly)
    assert work_on(delivery).outcome == "sent"
    sync = Delivery.objects.get(kind="sync")
    assert (sync.message_id, sync.next_at is not None) == (sent.message_id, True)


@pytest.mark.parametrize("badge", ["is found by no sweep", "is pushed before", "is on its way"])
def test_the_number_of_a_message_read_during_its_push_is_cleared(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, badge: str
) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    talk = direct(ana, ben)
    say(talk, ana)
    (delivery,) = decided()

    def slowly(push: Push) -> Answer:
        provider.pushes.append(push)
        if push.kind == "message":
            read(talk, ben)
            if badge == "is found by no sweep":
                return Accepted()
            collect.collect_readers()
            if badge == "is pushed before":
                assert work_on(Delivery.objects.get(kind="badge")).outcome == "sent"
        return Accepted()

    monkeypatch.setattr(provider, "send", slowly)
    assert work_on(delivery).outcome == "sent"
    waiting = Delivery.objects.get(kind="badge", next_at__isnull=False)
    assert work_on(waiting).outcome == "sent"
    assert (provider.pushes[-1].kind, provider.pushes[-1].badge) == ("badge", 0)


def test_a_message_that_stays_unread_brings_no_badge_push(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    assert work_on(delivery).outcome == "sent"
    assert not Delivery.objects.filter(kind="badge").exists()


def test_a_device_is_pushed_to_through_its_new_provider(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    session = session_of(ben)
    device_of(ben, iphone(), session)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    device_of(ben, browser("https://push.example.org/1"), session)
    after = work_on(delivery)
    assert (after.outcome, after.provider, after.breaker) == ("sent", "web_push", "web_push:push.example.org")
    assert provider.pushes[0].keys is not None


def test_a_delivery_to_a_deleted_device_ends(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device = device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    device.delete()
    assert work_on(delivery).outcome == "token_dead"


def test_sender_and_text_are_shown_only_with_preview_on(provider: Provider) -> None:
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


@pytest.mark.parametrize("ends", ["revoked", "password changed", "cookie expired"])
def test_a_device_of_an_ended_session_gets_no_push(provider: Provider, ends: str, settings: Any) -> None:
    ana, ben = people("ana", "ben")
    device = device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()
    session = DeviceSession.objects.filter(pk=device.session_id)
    if ends == "revoked":
        session.update(revoked_at=clock.now())
    elif ends == "password changed":
        session.update(password_fingerprint="of another password")
    else:
        long_ago = clock.now() - datetime.timedelta(seconds=settings.SESSION_COOKIE_AGE + 1)
        session.update(token_hash=None, created_at=long_ago)
    assert work_on(delivery).outcome == "token_dead"
    assert provider.pushes == []
