"""The mail server keeps mails as they came, and fails as ordered."""

import smtplib
import ssl
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from tests.harness.providers.smtp import Smtp, parsed
from tests.waiting import DEADLINE


@pytest.fixture(scope="module")
def running() -> Iterator[Smtp]:
    with Smtp() as server:
        yield server


@pytest.fixture
def smtp(running: Smtp) -> Iterator[Smtp]:
    running.forget()
    yield running
    running.works()
    running.greylists(None)


def written(to: str = "ana@example.org", subject: str = "Unread messages") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "chat@example.org", to, subject
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content("Grüße: 3 unread")
    mail.add_alternative("<p>Grüße: 3 unread</p>", subtype="html")
    return mail


def send(smtp: Smtp, mail: EmailMessage, *, timeout: float = DEADLINE, sign_in: bool = False) -> None:
    settings = smtp.settings()
    with smtplib.SMTP(settings["host"], settings["port"], timeout=timeout) as client:
        if sign_in:
            client.starttls(context=ssl.create_default_context(cafile=settings["ca_file"]))
            client.login(settings["user"], settings["password"])
        client.send_message(mail)


def test_a_mail_is_kept_as_it_came(smtp: Smtp) -> None:
    send(smtp, written())
    [mail] = smtp.received()
    assert (mail.sender, mail.recipients) == ("chat@example.org", ("ana@example.org",))
    assert (mail.status, mail.how, mail.delivered, mail.secure, mail.user) == (250, "answered", True, False, "")
    assert abs(mail.at - time.time()) < 5
    message = parsed(mail)
    assert message["Subject"] == "Unread messages"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain = message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == "Grüße: 3 unread"


def test_tls_and_signing_in(smtp: Smtp) -> None:
    send(smtp, written(), sign_in=True)
    [mail] = smtp.received()
    assert (mail.secure, mail.user) == (True, "chatsite")
    settings = smtp.settings()
    with smtplib.SMTP(settings["host"], settings["port"], timeout=DEADLINE) as client:
        client.starttls(context=ssl.create_default_context(cafile=settings["ca_file"]))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(settings["user"], "guess")


@pytest.mark.parametrize("status", [451, 550])
def test_a_recipient_that_is_refused(smtp: Smtp, status: int) -> None:
    smtp.fails(status, to="Ana@example.org", times=1)
    send(smtp, written("ben@example.org"))
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(smtp, written())
    assert refused.value.recipients["ana@example.org"][0] == status
    send(smtp, written())
    assert [(mail.status, mail.delivered, bool(mail.content)) for mail in smtp.received()] == [
        (250, True, True), (status, False, False), (250, True, True),
    ]  # fmt: skip
    assert len(smtp.delivered("ana@example.org")) == 1


def test_greylisting_puts_off_what_is_new(smtp: Smtp) -> None:
    smtp.greylists(600)
    for _ in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(smtp, written())
        assert refused.value.recipients["ana@example.org"][0] == 451
    smtp.greylists(0.3)  # all are new again
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(smtp, written())
    time.sleep(0.3)
    send(smtp, written())
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(smtp, written("ben@example.org"))
    smtp.greylists(0.3)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(smtp, written())


def test_slow(smtp: Smtp) -> None:
    smtp.fails("slow", seconds=0.3)
    begun = time.monotonic()
    send(smtp, written())
    assert time.monotonic() - begun >= 0.3
    assert len(smtp.delivered()) == 1


def test_cut_after_the_content_was_taken(smtp: Smtp) -> None:
    smtp.fails("cut", times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(smtp, written())
    [mail] = smtp.received()
    assert (mail.status, mail.how, mail.delivered) == (None, "cut", True)
    assert parsed(mail)["Subject"] == "Unread messages"
    send(smtp, written())
    assert len(smtp.arrives(2, to="ana@example.org")) == 2


def test_reset_and_silence(smtp: Smtp) -> None:
    smtp.fails("reset", times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(smtp, written())
    smtp.fails("silent", times=1)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        send(smtp, written(), timeout=2)
    assert [(mail.how, mail.delivered) for mail in smtp.received()] == [("reset", False), ("silent", False)]
    send(smtp, written())


def test_down_and_up_with_all_mails(smtp: Smtp) -> None:
    send(smtp, written())
    smtp.kill()
    with pytest.raises(ConnectionRefusedError):
        send(smtp, written())
    smtp.start()
    send(smtp, written())
    assert len(smtp.received()) == 2
