"""Mail about messages that stay unread, sent by SMTP to a real server on loopback."""

import datetime
import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.test import Client
from django.utils import timezone

from accounts.services import block_user
from chatsite.configuration.notifying import NotificationTimings
from conversations.models import Conversation
from messaging.models import Message
from messaging.services.change import delete_message_for_everyone
from notifications.models import Digest, Preferences
from notifications.selectors.breakers import forget
from notifications.services import digests
from notifications.services.due import due_digests
from tests.harness.processes import free_port
from tests.making import at_once, direct, group, naming, person, read, say
from tests.notifications.test_fan_out import mute, no_notifications, only_mentions

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("progress")]


class PostOffice:
    """Keeps the mails it accepts; while `answer` is set, it refuses with that."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer:
            return self.answer
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"


@pytest.fixture
def office(settings: Any) -> Iterator[PostOffice]:
    office = PostOffice()
    controller = Controller(office, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.MAIL_ENABLED = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    settings.PUBLIC_URL = "https://chat.example.org"
    settings.DIGEST_AFTER_MINUTES, settings.DIGEST_PERIOD_MINUTES = 15, 240
    settings.NOTIFICATION_TIMINGS = NotificationTimings()
    forget()
    yield office
    controller.stop()


def minutes_pass(minutes: float) -> None:
    """Make all rows older by this many minutes."""
    from conversations.models import Event

    for row in [*Message.objects.all(), *Event.objects.all()]:
        row.created_at -= datetime.timedelta(minutes=minutes)
        row.save(update_fields=["created_at"])
    for digest in Digest.objects.all():
        for name in ("sent_at", "covered_until", "next_at"):
            if getattr(digest, name) is not None:
                setattr(digest, name, getattr(digest, name) - datetime.timedelta(minutes=minutes))
        digest.save()


def sweep() -> None:
    digests.collect_digests()
    for user_id in due_digests():
        digests.send_digest(user_id)


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_mail_is_sent_after_fifteen_minutes_and_once_per_period(office: PostOffice) -> None:
    ana, ben = person("ana"), person("ben", email="ben@example.org")
    talk = direct(ana, ben)
    say(talk, ana)
    sweep()
    minutes_pass(14)
    sweep()
    assert office.mails == []
    minutes_pass(2)
    for _ in range(3):
        sweep()
    (mail,) = office.mails
    assert (mail["To"], mail["Subject"]) == ("ben@example.org", "1 unread message")
    # Another message: no mail within the period, one after it.
    say(talk, ana)
    minutes_pass(20)
    sweep()
    assert len(office.mails) == 1
    assert Digest.objects.get().outcome == "waiting"
    minutes_pass(240)
    sweep()
    assert [mail["Subject"] for mail in office.mails] == ["1 unread message", "2 unread messages"]
    # Without new messages there is no mail, however long the old ones stay unread.
    minutes_pass(1000)
    sweep()
    assert len(office.mails) == 2


def test_messages_read_meanwhile_cause_no_mail(office: PostOffice) -> None:
    ana, ben = person("ana"), person("ben", email="ben@example.org")
    talk = direct(ana, ben)
    say(talk, ana)
    minutes_pass(16)
    digests.collect_digests()
    read(talk, ben)
    sweep()
    assert office.mails == []
    assert Digest.objects.get().outcome == "read"


def test_text_is_mailed_only_with_preview_on_and_escaped(office: PostOffice) -> None:
    ana = person("ana", display_name="<b>Ana</b>\u202e")
    ben, cyd = (person(name, email=f"{name}@example.org") for name in ("ben", "cyd"))
    Preferences.objects.create(user=ben, preview=True)
    team = group(ana, ben, cyd)
    # Names of an older release, which allowed line breaks.
    Conversation.objects.filter(pk=team.pk).update(name="Team\r\nBcc: all@example.org <script>")
    say(team, ana, "<img src=x onerror=alert(1)> & so on\nSubject: no")
    minutes_pass(16)
    sweep()
    mails = {mail["To"]: mail for mail in office.mails}
    with_text, without = mails["ben@example.org"], mails["cyd@example.org"]
    html = text_of(with_text, "html")
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; so on Subject: no" in html
    assert "&lt;b&gt;Ana&lt;/b&gt;:" in html.replace("</b>:", ":").replace("<b>", "")
    assert "<script" not in html
    assert "<img" not in html
    assert "onerror" in text_of(with_text, "plain")
    assert "\u202e" not in text_of(with_text, "plain")
    assert "onerror" not in text_of(without, "plain") + text_of(without, "html")
    assert "Team Bcc: all@example.org <script>: 1 unread" in text_of(without, "plain")
    for mail in office.mails:
        assert mail["Bcc"] is None
        assert mail["Subject"] == "1 unread message"


@pytest.mark.parametrize("change", [mute, no_notifications])
def test_a_silenced_conversation_causes_no_mail(office: PostOffice, change: Any) -> None:
    ana, ben = person("ana"), person("ben", email="ben@example.org")
    talk = direct(ana, ben)
    say(talk, ana)
    change(talk, ben)
    minutes_pass(16)
    sweep()
    assert office.mails == []


def mentions_everywhere(_: Any, user: Any) -> None:
    Preferences.objects.filter(user=user).update(level="mentions")


@pytest.mark.parametrize("change", [only_mentions, mentions_everywhere])
def test_with_mentions_only_other_messages_are_left_out(office: PostOffice, change: Any) -> None:
    ana, ben = person("ana"), person("ben", email="ben@example.org")
    Preferences.objects.create(user=ben, preview=True)
    team, other = group(ana, ben, name="Team"), group(ana, ben, name="Other")
    change(team, ben)
    change(other, ben)
    say(team, ana, "@ben of interest", mentions=naming(ben))
    for number in range(5):
        say(team, ana, f"chatter {number}")
    say(other, ana, "chatter elsewhere")
    minutes_pass(16)
    sweep()
    (mail,) = office.mails
    assert mail["Subject"] == "1 unread message"
    text = text_of(mail, "plain")
    assert "Team: 1 unread that mentions you" in text
    assert "of interest" in text
    assert "chatter" not in text
    assert "Other" not in text
    # The reported mention stays unread; new messages without mentions cause no other mail.
    say(team, ana, "more chatter")
    minutes_pass(1000)
    sweep()
    assert len(office.mails) == 1


def test_blocked_senders_and_deleted_messages_cause_no_mail(office: PostOffice) -> None:
    ana, ben, cyd = person("ana"), person("ben", email="ben@example.org"), person("cyd")
    team = group(ana, ben, cyd)
    sent = say(team, cyd)
    say(team, ana)
    delete_message_for_everyone(user_id=cyd.pk, message_id=sent.message_id)
    block_user(user_id=ben.pk, other_id=ana.pk)
    minutes_pass(16)
    sweep()
    assert office.mails == []


def test_one_post_unsubscribes_without_signing_in(office: PostOffice) -> None:
    ana, ben = person("ana"), person("ben", email="ben@example.org")
    talk = direct(ana, ben)
    say(talk, ana)
    minutes_pass(16)
    sweep()
    (mail,) = office.mails
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = mail["List-Unsubscribe"].strip().strip("<>")
    assert address in text_of(mail, "plain")
    assert address.startswith("https://chat.example.org/unsubscribe/")
    path = address.removeprefix("https://chat.example.org")
    browser = Client(enforce_csrf_checks=True)
    assert browser.get(path).status_code == 200
    assert not Preferences.objects.filter(user=ben, email=False).exists()
    assert browser.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Preferences.objects.filter(user=ben, email=False).exists()
    assert browser.post(path + "x").status_code == 404
    say(talk, ana)
    minutes_pass(1000)
    sweep()
    assert len(office.mails) == 1


@pytest.mark.parametrize(("answer", "outcome"), [("550 nobody here", "refused"), ("451 try later", "waiting")])
def test_the_answer_of_the_mail_server_is_saved(office: PostOffice, answer: str, outcome: str) -> None:
    ana, ben = person("ana"), person("ben", email="ben@example.org")
    say(direct(ana, ben), ana)
    minutes_pass(16)
    office.answer = answer
    sweep()
    digest = Digest.objects.get()
    assert (digest.outcome, digest.reason) == (outcome, answer)
    if outcome == "waiting":
        assert digest.next_at is not None
        assert digest.next_at > timezone.now()
        office.answer = ""
        minutes_pass(2)
        sweep()
        assert len(office.mails) == 1


def test_concurrent_workers_send_one_mail(office: PostOffice) -> None:
    ana, ben = person("ana"), person("ben", email="ben@example.org")
    say(direct(ana, ben), ana)
    minutes_pass(16)
    at_once([digests.collect_digests] * 4)
    at_once([lambda: digests.send_digest(ben.pk)] * 6)
    assert len(office.mails) == 1
