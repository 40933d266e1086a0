"""Preferences, the list in the app and traces over REST."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.services import block_user, open_session, revoke_session
from conversations.services import add_participants, leave
from messaging.services.receipts import ReceiptUpdate, record_receipt
from notifications.models import Delivery, Notification
from notifications.selectors.trace import trace_for_staff
from notifications.services import collect, fan_out
from notifications.services.due import due_fan_outs
from presence.selectors import SocketReach, Written
from tests.making import direct, group, people, person, read, say
from tests.notifications.registering import device_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("providers", "without_delay", "progress"),
]


class App:
    """Somebody's app."""

    def __init__(self, user: User) -> None:
        self._headers = {"Authorization": f"Bearer {open_session(user=user).token}"}

    def asks(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = Client().generic(
            method,
            f"/api/v1{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=self._headers,
        )
        assert answer.status_code == status, answer.content
        return json.loads(answer.content) if answer.content else None


def sweep() -> None:
    collect.collect_messages()
    for message_id in due_fan_outs():
        for _ in fan_out.fan_out(message_id):
            pass


# --- Preferences --------------------------------------------------------------------------

DEFAULTS = {"push": True, "email": True, "preview": False, "level": "all", "do_not_disturb": None, "paused_until": None}


def test_preferences_begin_with_defaults_and_keep_what_is_not_named() -> None:
    app = App(person("ana"))
    assert app.asks("GET", "/notifications/preferences") == DEFAULTS
    night = {"from": "22:00", "until": "07:00", "days": [0, 4], "time_zone": "Europe/Vienna"}
    assert app.asks("PATCH", "/notifications/preferences", {"preview": True, "do_not_disturb": night}) == DEFAULTS | {
        "preview": True,
        "do_not_disturb": night,
    }
    kept = app.asks("PATCH", "/notifications/preferences", {"level": "mentions"})
    assert kept["do_not_disturb"] == night
    assert app.asks("PATCH", "/notifications/preferences", {"do_not_disturb": None})["do_not_disturb"] is None


def test_a_pause_that_is_over_is_none() -> None:
    app = App(person("ana"))
    over = app.asks("PATCH", "/notifications/preferences", {"paused_until": "2020-01-01T00:00:00Z"})
    assert over["paused_until"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"level": "some"}, "level"),
        ({"push": "yes"}, "push"),
        ({"sound": True}, "sound"),
        ({"paused_until": "9999-12-31T23:59:59-23:59"}, "paused_until"),
        ({"do_not_disturb": {"from": "24:00", "until": "07:00"}}, "do_not_disturb.from"),
        ({"do_not_disturb": {"from": "22:00"}}, "do_not_disturb.until"),
        ({"do_not_disturb": {"from": "22:00", "until": "07:00\n"}}, "do_not_disturb.until"),
        ({"do_not_disturb": {"from": "22:00", "until": "07:00", "days": []}}, "do_not_disturb.days"),
        ({"do_not_disturb": {"from": "22:00", "until": "07:00", "days": [7]}}, "do_not_disturb.days[0]"),
    ],
)
def test_preferences_that_make_no_sense(body: Any, field: str) -> None:
    refusal = App(person("ana")).asks("PATCH", "/notifications/preferences", body, status=400)
    assert list(refusal["fields"]) == [field]


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../../etc/passwd", "", "utc\x00"])
def test_time_zones_are_known_or_refused(zone: str) -> None:
    quiet = {"from": "22:00", "until": "07:00", "time_zone": zone}
    App(person("ana")).asks("PATCH", "/notifications/preferences", {"do_not_disturb": quiet}, status=400)


# --- The list -----------------------------------------------------------------------------


def test_the_list_pages_and_is_read() -> None:
    ana, ben = people("ana", "ben")
    app = App(ben)
    team = group(ana, ben)
    question = say(team, ben)
    for _ in range(4):
        say(team, ana, reply_to_id=question.message_id)
    sweep()
    first = app.asks("GET", "/notifications?limit=3")
    assert [each["kind"] for each in first["results"]] == ["reply"] * 3
    assert first["unread_count"] == 5
    rest = app.asks("GET", f"/notifications?limit=3&cursor={first['next']}")
    assert [each["kind"] for each in rest["results"]] == ["reply", "added"]
    assert rest["next"] is None
    # Up to the second oldest.
    app.asks("POST", "/notifications/read", {"up_to": rest["results"][0]["id"]}, status=204)
    assert app.asks("GET", "/notifications")["unread_count"] == 3
    # Who reads the conversation has read what it says.
    read(team, ben)
    listed = app.asks("GET", "/notifications")
    assert listed["unread_count"] == 0
    assert all(each["read_at"] for each in listed["results"])


def test_nobody_reads_the_notifications_of_others() -> None:
    ana, ben = people("ana", "ben")
    group(ana, ben)
    sweep()
    theirs = Notification.objects.get(user=ben)
    App(ana).asks("POST", "/notifications/read", {"up_to": str(theirs.pk)}, status=404)
    assert App(ana).asks("GET", "/notifications")["results"] == []
    assert App(ben).asks("GET", "/notifications")["unread_count"] == 1


def test_a_reply_of_somebody_blocked_is_no_news() -> None:
    ana, ben = people("ana", "ben")
    team = group(ana, ben)
    question = say(team, ben)
    block_user(user_id=ben.pk, other_id=ana.pk)
    say(team, ana, reply_to_id=question.message_id)
    sweep()
    assert [each["kind"] for each in App(ben).asks("GET", "/notifications")["results"]] == ["added"]


# --- Traces -------------------------------------------------------------------------------


def test_a_sender_sees_who_got_it_and_nobody_elses_settings() -> None:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    device_of(ben)
    sent = say(talk, ana)
    app = App(ana)
    collect.collect_messages()
    assert app.asks("GET", f"/messages/{sent.message_id}/trace")["notified_at"] is None
    sweep()
    read(talk, ben)
    trace = app.asks("GET", f"/messages/{sent.message_id}/trace")
    assert set(trace) == {"message_id", "sequence", "stored_at", "notified_at", "recipients"}
    assert trace["notified_at"] is not None
    (reached,) = trace["recipients"]
    assert reached["user_id"] == str(ben.pk)
    assert reached["read_at"] is not None
    App(ben).asks("GET", f"/messages/{sent.message_id}/trace", status=404)


def test_staff_sees_each_device_also_those_without_push(client: Client) -> None:
    ana, ben, cyd = people("ana", "ben", "cyd")
    team = group(ana, ben)
    phone = device_of(ben, session=open_session(user=ben, device_name="Ben's phone").session)
    laptop = open_session(user=ben, device_name="Ben's laptop").session
    ended = open_session(user=ben, device_name="Ben's lost phone").session
    revoke_session(user_id=ben.pk, session_id=ended.pk)
    sent = say(team, ana)
    sweep()
    record_receipt(
        ReceiptUpdate(ben.pk, "delivered", conversation_id=team.pk, sequence=sent.sequence, session_id=str(laptop.pk))
    )
    add_participants(user_id=ana.pk, conversation_id=team.pk, user_ids=[cyd.pk])
    open_session(user=cyd, device_name="Cyd's phone")
    trace = trace_for_staff(sent.message_id)
    assert trace is not None
    about_ben, about_cyd = trace.people
    assert [
        (each.session, each.socket, each.acknowledged is not None, [push.device_id for push in each.pushes])
        for each in about_ben.devices
    ] == [
        (phone.session, SocketReach(Written.NO_CONNECTION), False, [phone.pk]),
        (laptop, SocketReach(Written.NO_CONNECTION), True, []),
    ]
    assert (about_ben.was_there, about_cyd.was_there) == (True, False)
    assert [(each.socket, each.acknowledged) for each in about_cyd.devices] == [(None, None)]
    client.force_login(person("staff", is_staff=True, is_superuser=True))
    shown = client.get(reverse("admin:notifications_delivery_trace", args=[sent.message_id])).content.decode()
    for name in ("Ben&#x27;s phone", "Ben&#x27;s laptop", "Cyd&#x27;s phone"):
        assert name in shown
    assert "lost phone" not in shown


def test_what_is_older_than_the_records_is_not_said_to_have_missed_a_device(settings: Any) -> None:
    ana, ben = people("ana", "ben")
    open_session(user=ben)
    sent = say(direct(ana, ben), ana)
    settings.DELIVERY_RECORD_DAYS = 0
    trace = trace_for_staff(sent.message_id)
    assert trace is not None
    assert [device.socket for device in trace.people[0].devices] == [None]


def test_somebody_who_left_afterwards_was_there() -> None:
    ana, ben = people("ana", "ben")
    team = group(ana, ben)
    device_of(ben)
    sent = say(team, ana)
    sweep()
    leave(user_id=ben.pk, conversation_id=team.pk)
    trace = trace_for_staff(sent.message_id)
    assert trace is not None
    assert [(person.user, person.was_there) for person in trace.people] == [(ben, True)]


def test_a_push_to_a_device_that_is_gone_is_still_shown() -> None:
    ana, ben = people("ana", "ben")
    device = device_of(ben)
    sent = say(direct(ana, ben), ana)
    sweep()
    device.delete()
    trace = trace_for_staff(sent.message_id)
    assert trace is not None
    with_session, gone = trace.people[0].devices
    assert (with_session.session, with_session.pushes) == (device.session, [])
    assert (gone.session, [push.device_id for push in gone.pushes]) == (None, [Delivery.objects.get().device_id])


def test_staff_sees_each_device_and_never_the_text(client: Client) -> None:
    ana, ben = people("ana", "ben")
    device_of(ben)
    sent = say(direct(ana, ben), ana, "a secret")
    client.force_login(person("staff", is_staff=True, is_superuser=True))
    address = reverse("admin:notifications_delivery_trace", args=[sent.message_id])
    assert "not decided about" in client.get(address).content.decode()
    sweep()
    shown = client.get(address).content.decode()
    assert "APNs" in shown
    assert "To be sent" in shown
    assert "a secret" not in shown
    listed = client.get(reverse("admin:notifications_delivery_changelist") + f"?q={sent.message_id}")
    assert address in listed.content.decode()
    assert client.get(reverse("admin:notifications_delivery_trace", args=[ben.pk])).status_code == 404
    client.force_login(person("helper", is_staff=True))
    assert client.get(address).status_code == 404
