"""The number of statements of deliveries, decisions and sweeps, and the rows that they read."""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Block
from notifications.models import Breaker, Delivery, FanOut, Preferences
from notifications.selectors import breakers
from notifications.services import collect, due, fan_out, retention
from notifications.services import deliver as delivering
from notifications.services.due import due_deliveries, due_fan_outs
from realtime.database import clock
from tests.making import direct, group, people, say
from tests.notifications.instant_provider import Provider
from tests.notifications.registering import android, device_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("providers", "without_delay", "progress"),
]


def decided() -> list[Any]:
    """Collect, decide, and return the ids of the queued deliveries."""
    collect.collect_messages()
    return [id for message_id in due_fan_outs() for chunk in fan_out.fan_out(message_id) for id in chunk]


def statements(work: Callable[[], Any]) -> list[str]:
    """Return the statements that a function executes."""
    with CaptureQueriesContext(connection) as made:
        work()
    return [query["sql"] for query in made.captured_queries if query["sql"] not in ("BEGIN", "COMMIT")]


def test_a_delivery_takes_five_statements_in_any_group(provider: Provider) -> None:
    """Claim and read, update the badge, save the outcome, and check whether the message was deleted meanwhile."""
    for members in (2, 12):
        users = people(*(f"user{number}of{members}" for number in range(members)))
        for user in users:
            device_of(user)
        say(group(*users), users[0])
        queued = decided()
        assert len(queued) == members - 1
        breakers.failing()  # read once a second, so not counted for each push
        for delivery_id in queued:
            made = statements(partial(delivering.deliver, delivery_id))
            assert len(made) == 5, "\n".join(made)
    assert len(provider.pushes) == Delivery.objects.filter(outcome="sent").count() == 12


def test_an_unchanged_badge_is_not_written(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device = device_of(ben)
    say(direct(ana, ben), ana)
    (id,) = decided()
    device.badge = 1
    device.save()
    breakers.failing()
    assert len(statements(lambda: delivering.deliver(id))) == 4


def test_the_number_of_recipients_adds_no_statements(provider: Provider) -> None:
    made = []
    for members in (2, 30):
        users = people(*(f"user{number}of{members}" for number in range(members)))
        for user in users:
            device_of(user)
            Preferences.objects.create(user=user)
        team = group(*users)
        for user in users[2:20]:
            Block.objects.create(blocker=user, blocked=users[0])
        say(team, users[0])
        collect.collect_messages()
        (message_id,) = due_fan_outs()
        breakers.failing()
        made.append(len(statements(partial(list, fan_out.fan_out(message_id)))))
    assert made[0] == made[1]


def test_deliveries_behind_an_open_breaker_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    device_of(ben, android())
    say(direct(ana, ben), ana)
    decided()
    Delivery.objects.update(hinted_at=None)
    fcm = Delivery.objects.get(provider="fcm")
    now = clock.now()
    breaker = Breaker.objects.create(
        name="apns", failures=9, open_until=now + datetime.timedelta(minutes=1), changed_at=now
    )
    executed = statements(lambda: due_deliveries())
    assert not any("'apns'" in text for text in executed if "WITH RECURSIVE" not in text)
    assert any("'fcm'" in text for text in executed)
    fcm.refresh_from_db()
    assert fcm.hinted_at is not None
    monkeypatch.setattr(due, "HINT_SECONDS", 0)
    Breaker.objects.filter(pk=breaker.pk).update(open_until=now)
    Delivery.objects.filter(pk=fcm.pk).delete()
    say(direct(ana, ben), ana)
    decided()
    Delivery.objects.update(provider="apns", breaker="apns")
    assert len(due_deliveries()) == 1, "only one delivery tries the provider again"


def test_the_earliest_deliveries_are_queued_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "HINTS", 2)
    ana, ben, cyd, dan = people("ana", "ben", "cyd", "dan")
    for user in (ben, cyd, dan):
        device_of(user)
    say(group(ana, ben, cyd, dan), ana)
    queued = decided()
    for number, id in enumerate(queued):
        next_at = clock.now() - datetime.timedelta(seconds=10 - number)
        Delivery.objects.filter(pk=id).update(hinted_at=None, next_at=next_at)
    assert due_deliveries() == queued[:2]
    assert due_deliveries() == []
    Delivery.objects.filter(pk=queued[0]).update(next_at=None)
    assert due_deliveries() == queued[2:]


def test_only_old_records_are_purged(provider: Provider) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    say(direct(ana, ben), ana)
    for id in decided():
        delivering.deliver(id)
    retention.purge_records(before=clock.now() - datetime.timedelta(minutes=1))
    assert (Delivery.objects.count(), FanOut.objects.count()) == (1, 1)
    retention.purge_records(before=clock.now() + datetime.timedelta(seconds=1))
    assert (Delivery.objects.count(), FanOut.objects.count()) == (0, 0)


def test_answered_at_is_set_only_by_an_answer_of_a_provider(provider: Provider) -> None:
    ana, ben, cyd = people("ana", "ben", "cyd")
    device_of(ben)
    device_of(cyd)
    say(group(ana, ben, cyd), ana)
    queued = decided()
    Preferences.objects.create(user=ben, push=False)
    for id in queued:
        delivering.deliver(id)
    answered = dict(Delivery.objects.values_list("outcome", "answered_at"))
    assert answered["preference_off"] is None
    assert answered["sent"] is not None
