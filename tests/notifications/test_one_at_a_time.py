"""A device gets the pushes of a conversation one after another: of two at once, the older might arrive last."""

import datetime
import threading
import time
from typing import Any

import pytest
from django.db import connection

from notifications.models import Delivery
from notifications.providers.push import Answer, Push
from notifications.selectors.reading import finding
from notifications.services import deliver as delivering
from realtime.database import clock
from realtime.database.rows import Statement
from tests.making import direct, people, say
from tests.notifications.instant_provider import Provider
from tests.notifications.registering import device_of
from tests.notifications.worker_steps import decided, work_on

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("providers", "without_delay", "progress"),
]


def meanwhile(provider: Provider, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Run `act` while the next push is at the provider."""
    send = provider.send

    def slowly(push: Push) -> Answer:
        monkeypatch.setattr(provider, "send", send)
        act()
        return send(push)

    monkeypatch.setattr(provider, "send", slowly)


def test_a_push_waits_for_the_previous_one(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    talk = direct(ana, ben)
    say(talk, ana)
    (first,) = decided()

    def another() -> None:
        say(talk, ana)
        delivering.deliver(decided()[-1].pk)

    meanwhile(provider, monkeypatch, another)
    delivering.deliver(first.pk)
    assert [push.id for push in provider.pushes] == [first.pk]
    sent, waits = Delivery.objects.order_by("id")
    assert (sent.outcome, waits.outcome, waits.attempts, waits.is_under_way) == ("sent", "send", 0, False)
    assert 0 < (waits.next_at - clock.now()).total_seconds() <= 1.5
    assert work_on(waits).outcome == "sent"
    assert [push.badge for push in provider.pushes] == [1, 2]
    assert not Delivery.objects.filter(is_under_way=True).exists()


@pytest.mark.parametrize("elsewhere", ["other device", "other conversation"])
def test_a_push_does_not_wait_for_one_elsewhere(
    elsewhere: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben, cyd = people("ana", "ben", "cyd")
    device_of(ben)
    say(direct(ana, ben), ana)
    if elsewhere == "other device":
        device_of(ben)
    else:
        say(direct(cyd, ben), cyd)
    first, second = decided()
    meanwhile(provider, monkeypatch, lambda: delivering.deliver(second.pk))
    delivering.deliver(first.pk)
    assert [push.id for push in provider.pushes] == [second.pk, first.pk]


def test_a_push_waits_at_most_for_the_lease_of_a_dead_worker(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    talk = direct(ana, ben)
    say(talk, ana)
    say(talk, ana)
    first, second = decided()
    for seconds, outcome in ((60, "send"), (-1, "sent")):
        lease = clock.now() + datetime.timedelta(seconds=seconds)
        Delivery.objects.filter(pk=first.pk).update(is_under_way=True, next_at=lease)
        assert work_on(second).outcome == outcome


def test_a_push_is_marked_under_way_before_it_is_decided(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    say(direct(ana, ben), ana)
    (delivery,) = decided()

    def when_the_lock_is_free(*arguments: Any) -> Statement:
        found = finding(*arguments)
        text = f"SELECT * FROM ({found.text}) AS found WHERE pg_advisory_xact_lock(1) IS NOT NULL"  # noqa: S608 - ours
        return Statement(text, found.parameters)

    monkeypatch.setattr(delivering, "finding", when_the_lock_is_free)

    def work() -> None:
        delivering.deliver(delivery.pk)
        connection.close()

    thread = threading.Thread(target=work)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        try:
            thread.start()
            until = time.monotonic() + 5
            while not Delivery.objects.get().is_under_way:
                assert time.monotonic() < until, "the push never shows as under way"
                time.sleep(0.01)  # polling interval
        finally:
            cursor.execute("SELECT pg_advisory_unlock(1)")
            thread.join()
    assert Delivery.objects.get().outcome == "sent"
