"""From the log to decisions: what the sweep collects, and the decision for each device."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from accounts.services import block_user, revoke_session
from chatsite.configuration.notifying import NotificationTimings
from conversations.models import Conversation
from conversations.services import remove_participant, update_own_settings
from messaging.services.change import delete_message_for_everyone
from notifications.models import Delivery, FanOut, Notification, Preferences, PushDevice
from notifications.services import collect, fan_out, queue
from notifications.services.due import due_deliveries, due_fan_outs
from realtime.database import clock
from tests.making import direct, group, people, read, say
from tests.notifications.registering import device_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("providers", "without_delay", "progress"),
]


def sweep() -> list[Any]:
    """Collect, decide about all messages that are due, and return the ids of the queued deliveries."""
    collect.collect_messages()
    return [id for message_id in due_fan_outs() for chunk in fan_out.fan_out(message_id) for id in chunk]


def outcomes() -> dict[str, str]:
    devices = {device.pk: device.user.username for device in PushDevice.objects.select_related("user")}
    return {devices[delivery.device_id]: delivery.outcome for delivery in Delivery.objects.all()}


def test_each_device_but_the_senders_gets_one_delivery() -> None:
    ana, ben, cyd = people("ana", "ben", "cyd")
    team = group(ana, ben, cyd)
    for user in (ana, ben, cyd):
        device_of(user)
    device_of(ben)
    sent = say(team, ana)
    queued = sweep()
    assert len(queued) == Delivery.objects.filter(message_id=sent.message_id, outcome="send").count() == 3
    assert ana.pk not in set(Delivery.objects.values_list("user_id", flat=True))
    assert FanOut.objects.get().decided_at is not None
    for _ in range(3):
        assert sweep() == []
    assert Delivery.objects.count() == 3


def test_without_devices_no_fan_out_is_recorded() -> None:
    ana, ben = people("ana", "ben")
    device_of(ana)
    say(direct(ana, ben), ana)
    sweep()
    assert not FanOut.objects.exists()


def test_a_message_is_decided_about_after_the_delay(settings: Any) -> None:
    settings.NOTIFICATION_TIMINGS = NotificationTimings(push_delay=30)
    ana, ben = people("ana", "ben")
    device_of(ben)
    say(direct(ana, ben), ana)
    assert sweep() == []
    FanOut.objects.update(next_at=clock.now())
    assert len(sweep()) == 1


def mute(talk: Conversation, user: Any) -> None:
    later = clock.now() + datetime.timedelta(hours=1)
    update_own_settings(user_id=user.pk, conversation_id=talk.pk, changes={"muted_until": later})


def only_mentions(talk: Conversation, user: Any) -> None:
    update_own_settings(user_id=user.pk, conversation_id=talk.pk, changes={"notification_level": "mentions"})


def no_push(_: Conversation, user: Any) -> None:
    Preferences.objects.create(user=user, push=False)


def no_notifications(talk: Conversation, user: Any) -> None:
    update_own_settings(user_id=user.pk, conversation_id=talk.pk, changes={"notification_level": "none"})


def never_to_be_disturbed(_: Conversation, user: Any) -> None:
    Preferences.objects.create(user=user, quiet_from="00:00", quiet_until="00:00")


def paused(_: Conversation, user: Any) -> None:
    Preferences.objects.create(user=user, paused_until=clock.now() + datetime.timedelta(hours=1))


def signed_out(_: Conversation, user: Any) -> None:
    revoke_session(user_id=user.pk, session_id=PushDevice.objects.get(user=user).session_id)


def blocks(talk: Conversation, user: Any) -> None:
    block_user(user_id=user.pk, other_id=talk.created_by_id)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (read, "read"),
        (mute, "muted"),
        (only_mentions, "mention_only"),
        (no_push, "preference_off"),
        (no_notifications, "preference_off"),
        (never_to_be_disturbed, "do_not_disturb"),
        (paused, "do_not_disturb"),
        (signed_out, "token_dead"),
        (blocks, "blocked"),
    ],
)
def test_changes_since_the_message_decide_its_outcome(change: Callable[..., None], outcome: str) -> None:
    ana, ben, cyd = people("ana", "ben", "cyd")
    team = group(ana, ben, cyd)
    device_of(ben)
    device_of(cyd)
    say(team, ana)
    change(team, ben)
    sweep()
    assert outcomes() == {"ben": outcome, "cyd": "send"}
    assert Delivery.objects.get(outcome=outcome).next_at is None


def test_a_deleted_message_is_not_pushed() -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    sent = say(direct(ana, ben), ana)
    delete_message_for_everyone(user_id=ana.pk, message_id=sent.message_id)
    sweep()
    assert outcomes() == {"ben": "deleted"}


def test_a_removed_participant_gets_no_delivery() -> None:
    ana, ben, cyd = people("ana", "ben", "cyd")
    team = group(ana, ben, cyd)
    device_of(ben)
    device_of(cyd)
    say(team, ana)
    remove_participant(user_id=ana.pk, conversation_id=team.pk, other_id=ben.pk)
    sweep()
    assert outcomes() == {"cyd": "send"}


def test_an_interrupted_fan_out_continues_without_duplicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "CHUNK", 3)
    users = people(*(f"user{number}" for number in range(11)))
    team = group(*users)
    for user in users:
        device_of(user)
    say(team, users[0])
    collect.collect_messages()
    (message_id,) = due_fan_outs()
    chunks = fan_out.fan_out(message_id)
    first = next(chunks)
    chunks.close()  # as if the worker died
    assert 0 < len(first) <= 3
    assert FanOut.objects.get().decided_at is None
    rest = [id for chunk in fan_out.fan_out(message_id) for id in chunk]
    assert len({*first, *rest}) == len(first) + len(rest) == Delivery.objects.count() == 10


def test_deliveries_over_the_limit_are_queued_by_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "CHUNK", 3)
    monkeypatch.setattr(fan_out, "MOST_QUEUED", 4)
    users = people(*(f"user{number}" for number in range(9)))
    for user in users:
        device_of(user)
    say(group(*users), users[0])
    queued = sweep()
    assert len(queued) == 4
    assert Delivery.objects.count() == 8
    assert sorted([*queued, *due_deliveries()]) == sorted(Delivery.objects.values_list("id", flat=True))


def test_a_lost_task_is_queued_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    say(direct(ana, ben), ana)
    collect.collect_messages()
    assert len(due_fan_outs()) == 1
    assert due_fan_outs() == []
    monkeypatch.setattr(queue, "REQUEUE_SECONDS", 0)
    (message_id,) = due_fan_outs()
    list(fan_out.fan_out(message_id))
    assert due_fan_outs() == []
    assert len(due_deliveries()) == 1


def test_replies_and_additions_appear_in_the_list() -> None:
    ana, ben, cyd, dan = people("ana", "ben", "cyd", "dan")
    team = group(ana, ben, cyd)
    question = say(team, ben)
    say(team, ana, reply_to_id=question.message_id)
    say(team, ben, reply_to_id=question.message_id)
    for _ in range(3):
        sweep()
    noted = Notification.objects.values_list("user__username", "kind")
    assert sorted(noted) == [("ben", "added"), ("ben", "reply"), ("cyd", "added")]
    assert dan.pk not in set(Notification.objects.values_list("user_id", flat=True))
