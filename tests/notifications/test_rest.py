"""Preferences, the notification list and delivery traces over REST."""

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
    """The app of a user, signed in."""

    def __init__(self, user: User) -> None:
        self._headers = {"Authorization": f"Bearer {open_session(user=user).token}"}

    def request(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
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


def test_preferences_start_as_defaults_and_keep_unnamed_fields() -> None:
    app = App(person("ana"))
    assert app.request("GET", "/notifications/preferences") == DEFAULTS
    night = {"from": "22:00", "until": "07:00", "days": [0, 4], "time_zone": "Europe/Vienna"}
    assert app.request(
        "PATCH", "/notifications/preferences", {"preview": True, "do_not_disturb": night}
    ) == DEFAULTS | {
        "preview": True,
        "do_not_disturb": night,
    }
    kept = app.request("PATCH", "/notifications/preferences", {"level": "mentions"})
    assert kept["do_not_disturb"] == night
    assert app.request("PATCH", "/notifications/preferences", {"do_not_disturb": None})["do_not_disturb"] is None


def test_a_pause_in_the_past_is_not_set() -> None:
    app = App(person("ana"))
    over = app.request("PATCH", "/notifications/preferences", {"paused_until": "2020-01-01T00:00:00Z"})
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
def test_an_invalid_preference_is_refused_by_field(body: Any, field: str) -> None:
    refusal = App(person("ana")).request("PATCH", "/notifications/preferences", body, status=400)
    assert list(refusal["fields"]) == [field]


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../../etc/passwd", "", "utc\x00"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    quiet = {"from": "22:00", "until": "07:00", "time_zone": zone}
    App(person("ana")).request("PATCH", "/notifications/preferences", {"do_not_disturb": quiet}, status=400)


# --- The notification list ------------------------------------------------------------------


def test_the_list_has_pages_and_can_be_marked_read() -> None:
    ana, ben = people("ana", "ben")
    app = App(ben)
    team = group(ana, ben)
    question = say(team, ben)
    for _ in range(4):
        say(team, ana, reply_to_id=question.message_id)
    sweep()
    first = app.request("GET", "/notifications?limit=3")
    assert [each["kind"] for each in first["results"]] == ["reply"] * 3
    assert first["unread_count"] == 5
    rest = app.request("GET", f"/notifications?limit=3&cursor={first['next']}")
    assert [each["kind"] for each in rest["results"]] == ["reply", "added"]
    assert rest["next"] is None
    # Mark all but the newest three as read.
    app.request("POST", "/notifications/read", {"up_to": rest["results"][0]["id"]}, status=204)
    assert app.request("GET", "/notifications")["unread_count"] == 3
    # Reading the conversation marks the rest as read.
    read(team, ben)
    listed = app.request("GET", "/notifications")
    assert listed["unread_count"] == 0
    assert all(each["read_at"] for each in listed["results"])


def test_notifications_of_others_are_not_accessible() -> None:
    ana, ben = people("ana", "ben")
    group(ana, ben)
    sweep()
    theirs = Notification.objects.get(user=ben)
    App(ana).request("POST", "/notifications/read", {"up_to": str(theirs.pk)}, status=404)
    assert App(ana).request("GET", "/notifications")["results"] == []
    assert App(ben).request("GET", "/notifications")["unread_count"] == 1


def test_a_reply_of_a_blocked_user_causes_no_notification() -> None:
    ana, ben = people("ana", "ben")
    team = group(ana, ben)
    question = say(team, ben)
    block_user(user_id=ben.pk, other_id=ana.pk)
    say(team, ana, reply_to_id=question.message_id)
    sweep()
    assert [each["kind"] for each in App(ben).request("GET", "/notifications")["results"]] == ["added"]


# --- Traces -------------------------------------------------------------------------------


def test_a_sender_sees_receipts_but_no_settings_of_others() -> None:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    device_of(ben)
    sent = say(talk, ana)
    app = App(ana)
    collect.collect_messages()
    assert app.request("GET", f"/messages/{sent.message_id}/trace")["notified_at"] is None
    sweep()
    read(talk, ben)
    trace = app.request("GET", f"/messages/{sent.message_id}/trace")
    assert set(trace) == {"message_id", "sequence", "stored_at", "notified_at", "recipients"}
    assert trace["notified_at"] is not None
    (reached,) = trace["recipients"]
    assert reached["user_id"] == str(ben.pk)
    assert reached["read_at"] is not None
    App(ben).request("GET", f"/messages/{sent.message_id}/trace", status=404)


def test_staff_see_devices_with_and_without_push(client: Client) -> None:
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
    assert (about_ben.was_member, about_cyd.was_member) == (True, False)
    assert [(each.socket, each.acknowledged) for each in about_cyd.devices] == [(None, None)]
    client.force_login(person("staff", is_staff=True, is_superuser=True))
    shown = client.get(reverse("admin:notifications_delivery_trace", args=[sent.message_id])).content.decode()
    for name in ("Ben&#x27;s phone", "Ben&#x27;s laptop", "Cyd&#x27;s phone"):
        assert name in shown
    assert "lost phone" not in shown


def test_a_message_older_than_the_records_has_unknown_reach(settings: Any) -> None:
    ana, ben = people("ana", "ben")
    open_session(user=ben)
    sent = say(direct(ana, ben), ana)
    settings.DELIVERY_RECORD_DAYS = 0
    trace = trace_for_staff(sent.message_id)
    assert trace is not None
    assert [device.socket for device in trace.people[0].devices] == [None]


def test_a_member_who_left_later_counts_as_present() -> None:
    ana, ben = people("ana", "ben")
    team = group(ana, ben)
    device_of(ben)
    sent = say(team, ana)
    sweep()
    leave(user_id=ben.pk, conversation_id=team.pk)
    trace = trace_for_staff(sent.message_id)
    assert trace is not None
    assert [(person.user, person.was_member) for person in trace.people] == [(ben, True)]


def test_a_push_to_a_deleted_device_is_still_shown() -> None:
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


def test_staff_see_deliveries_but_never_the_text(client: Client) -> None:
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
