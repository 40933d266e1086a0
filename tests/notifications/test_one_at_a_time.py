"""One push after the other to a device: of two at a time the older might come last."""

import threading
import time
from typing import Any

import pytest
from django.db import connection

from notifications.models import Delivery
from notifications.providers.push import Accepted, Answer, Push
from notifications.services import deliver as delivering
from realtime import clock
from tests.making import direct, people, say
from tests.notifications.by_hand import decided, work_on
from tests.notifications.instant_provider import Provider
from tests.notifications.registering import device_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("providers", "without_delay", "progress"),
]


@pytest.fixture
def two() -> list[Any]:
    """Two deliveries to one device, of two conversations."""
    ana, ben, cyd = people("ana", "ben", "cyd")
    device_of(ben)
    for friend in (ana, cyd):
        say(direct(friend, ben), friend)
    return decided()


def meanwhile(provider: Provider, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Act while the next push is at the provider."""
    send = provider.send

    def slowly(push: Push) -> Answer:
        monkeypatch.setattr(provider, "send", send)
        act()
        return send(push)

    monkeypatch.setattr(provider, "send", slowly)


def test_a_push_waits_for_the_one_before(provider: Provider, monkeypatch: pytest.MonkeyPatch, two: list[Any]) -> None:
    first, second = two
    meanwhile(provider, monkeypatch, lambda: delivering.deliver(second.pk))
    delivering.deliver(first.pk)
    assert [push.id for push in provider.pushes] == [first.pk]
    sent, waits = Delivery.objects.order_by("id")
    assert (sent.outcome, waits.outcome, waits.attempts, waits.is_under_way) == ("sent", "send", 0, False)
    assert 0 < (waits.next_at - clock.now()).total_seconds() <= 1.5
    assert work_on(second).outcome == "sent"
    assert [push.badge for push in provider.pushes] == [2, 2]
    assert not Delivery.objects.filter(is_under_way=True).exists()


def test_a_push_does_not_wait_for_one_to_another_device(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    device_of(ben)
    say(direct(ana, ben), ana)
    first, second = decided()
    meanwhile(provider, monkeypatch, lambda: delivering.deliver(second.pk))
    delivering.deliver(first.pk)
    assert [push.id for push in provider.pushes] == [second.pk, first.pk]


def test_a_push_does_not_wait_longer_than_the_lease_of_a_worker_that_died(provider: Provider, two: list[Any]) -> None:
    first, second = two
    Delivery.objects.filter(pk=first.pk).update(is_under_way=True, next_at=clock.now())
    assert work_on(second).outcome == "sent"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_of_two_taken_at_a_time_at_least_one_waits(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, two: list[Any]
) -> None:
    sending, too_many = threading.Lock(), []

    def send(push: Push) -> Answer:
        if not sending.acquire(blocking=False):
            too_many.append(push.id)
            return Accepted()
        time.sleep(0.05)
        sending.release()
        return Accepted()

    monkeypatch.setattr(provider, "send", send)
    for _ in range(20):
        Delivery.objects.update(next_at=clock.now(), outcome="send", is_under_way=False)
        barrier = threading.Barrier(2)

        def work(delivery: Any, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            delivering.deliver(delivery.pk)
            connection.close()

        threads = [threading.Thread(target=work, args=(delivery,)) for delivery in two]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert too_many == []
