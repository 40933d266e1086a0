"""Outdated badge numbers: the sweep records a badge push for every device that shows a number."""

from collections.abc import Callable
from typing import Any

import pytest

from conversations.models import Conversation
from conversations.services import leave, remove_participant
from notifications.models import Delivery, PushDevice
from notifications.services import collect
from tests.making import direct, group, people, read, say
from tests.notifications.registering import browser, device_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("providers", "progress")]


def sweep() -> set[Any]:
    """Collect, and return the devices whose number is to be cleared."""
    collect.collect_messages()
    collect.collect_readers()
    return set(Delivery.objects.filter(kind=Delivery.Kind.BADGE).values_list("device_id", flat=True))


def reads(team: Conversation, user: Any) -> None:
    read(team, user)


def leaves(team: Conversation, user: Any) -> None:
    leave(user_id=user.pk, conversation_id=team.pk)


def is_removed(team: Conversation, user: Any) -> None:
    remove_participant(user_id=team.created_by_id, conversation_id=team.pk, other_id=user.pk)


every_way = pytest.mark.parametrize("change", [reads, leaves, is_removed])


@every_way
def test_numbers_are_cleared_when_nothing_is_unread(change: Callable[..., None]) -> None:
    ana, ben, cyd = people("ana", "ben", "cyd")
    team = group(ana, ben, cyd)
    phone, tablet, without_number = device_of(ben), device_of(ben), device_of(ben)
    others = [device_of(cyd), device_of(ben, browser())]
    say(team, ana)
    PushDevice.objects.exclude(pk=without_number.pk).update(badge=1)
    assert sweep() == set()
    change(team, ben)
    for _ in range(2):
        assert sweep() == {phone.pk, tablet.pk}
    assert Delivery.objects.filter(kind=Delivery.Kind.BADGE).count() == 2
    assert not Delivery.objects.filter(device_id__in=[device.pk for device in others], kind="badge").exists()


@every_way
def test_numbers_stay_while_something_is_unread(change: Callable[..., None]) -> None:
    ana, ben = people("ana", "ben")
    team, talk = group(ana, ben), direct(ana, ben)
    device_of(ben)
    say(team, ana)
    say(talk, ana)
    PushDevice.objects.update(badge=2)
    change(team, ben)
    assert sweep() == set()
