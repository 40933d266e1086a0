"""Breakers: failures of providers are remembered for a limited time, and for a limited number of push services."""

import datetime
from collections.abc import Iterator

import pytest

from notifications.models import Breaker
from notifications.selectors.breakers import FAILURES_TO_OPEN, forget
from notifications.services import breakers
from notifications.tasks import purge
from realtime.database import clock
from tests.making import at_once

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def no_breakers() -> Iterator[None]:
    forget()
    yield
    forget()


def fails(name: str, *, hours_ago: float = 0) -> None:
    for _ in range(FAILURES_TO_OPEN):
        breakers.note_failure(name)
    Breaker.objects.filter(name=name).update(changed_at=clock.now() - datetime.timedelta(hours=hours_ago))


def known() -> set[str]:
    return set(Breaker.objects.values_list("name", flat=True))


def test_breakers_are_forgotten_hours_after_the_last_failure() -> None:
    fails("apns", hours_ago=1.9)
    fails("web_push:push.example.org", hours_ago=2.1)
    fails("mail", hours_ago=30)
    purge()
    assert known() == {"apns"}
    assert not breakers.may_pass("apns")


def test_only_the_latest_failed_push_services_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breakers, "MOST_PUSH_SERVICES", 3)
    fails("apns", hours_ago=1)
    for number in range(6):
        fails(f"web_push:{number}.example.org", hours_ago=0.5 - number / 100)
    assert known() == {"apns", *(f"web_push:{number}.example.org" for number in (3, 4, 5))}
    # A service that keeps failing is remembered, however many others fail.
    for number in range(6, 12):
        fails("web_push:3.example.org")
        fails(f"web_push:{number}.example.org")
    assert "web_push:3.example.org" in known()
    assert not breakers.may_pass("web_push:3.example.org")
    assert len(known()) == 4


def test_concurrent_workers_keep_the_limit_of_breakers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakers, "MOST_PUSH_SERVICES", 2)
    at_once([lambda number=number: breakers.note_failure(f"web_push:{number}.example.org") for number in range(12)])
    breakers.note_failure("web_push:last.example.org")
    assert len(known()) == 2
    assert "web_push:last.example.org" in known()
