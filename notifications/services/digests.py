"""Mail about messages that stay unread: at most one to a person in each period, also after a process died."""

import datetime
from collections.abc import Iterable
from smtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef
from django.db.models.functions import Coalesce, Greatest
from django.template.loader import render_to_string

from accounts.models import User
from conversations.models import Event, Participant
from messaging.event_kinds import NEW_MESSAGE
from notifications.models import Digest, Preferences, Progress
from notifications.selectors.digests import DigestPart, digest_of
from notifications.selectors.unsubscribing import unsubscribe_token
from notifications.services import breakers
from notifications.services.queue import BackOff, Leases, Result, lock
from realtime.database import clock

# People in one statement.
CHUNK = 5_000
LEASE_SECONDS = 60
BACK_OFF = BackOff(first=30, most=3600)
MAIL = "mail"

_leases = Leases(
    Digest, "attempts", "sent_at", "covered_until", seconds=LEASE_SECONDS, on_claim="attempts = attempts + 1"
)


def collect_digests() -> None:
    """Queue digests for people with messages that stayed unread for `DIGEST_AFTER_MINUTES`.

    These messages are old, so every transaction that wrote one has ended: up to the newest of them, none is missing.
    """
    with transaction.atomic():
        progress = lock(Progress.objects.filter(name=MAIL))
        if progress is None:
            return
        old_enough = Event.objects.filter(id__gt=progress.floor, created_at__lte=_unread_since())
        newest = old_enough.aggregate(newest=Max("id"))["newest"]
        if newest is None:
            return
        if settings.MAIL_ENABLED:
            _queue(_with_unread(progress.floor, newest))
        progress.floor = newest
        progress.save()


def send_digest(user_id: UUID) -> Digest.Outcome | None:
    """Send a person's digest if it is due and anything is still unread; return its outcome, None if it is not due.

    Also None if another worker has it.
    """
    digest = _leases.claim(user_id)
    if digest is None:
        return None
    _leases.write(digest, _work_on(digest))
    return Digest.Outcome(digest.outcome)


def _work_on(digest: Digest) -> Result:
    """Send a digest, unless nothing is left to be sent or the person wants none."""
    user = digest.user
    preferences = Preferences.objects.filter(user=user).first() or Preferences(user=user)
    if not (user.is_active and user.email and preferences.email):
        return Result(Digest.Outcome.OFF)
    until = _unread_since()
    parts = digest_of(user, preferences=preferences, older_than=until, since=digest.covered_until)
    if not parts:
        return Result(Digest.Outcome.READ)
    if not breakers.may_pass(MAIL):
        return _again(breakers.PROBE_SECONDS, "the mail server did not answer lately")
    try:
        digest_mail(user, parts, digest.sent_at).send()
    except (SMTPAuthenticationError, SMTPConnectError, SMTPHeloError, SMTPSenderRefused) as error:
        # Our own mistake, which the operator can correct.
        breakers.note_failure(MAIL)
        return _again(BACK_OFF.pause(digest.attempts), f"{error.smtp_code} {type(error).__name__}")
    except SMTPRecipientsRefused as refusal:
        code, text = next(iter(refusal.recipients.values()))
        return _refused(digest, code, text)
    except SMTPResponseException as refusal:
        return _refused(digest, refusal.smtp_code, refusal.smtp_error)
    except (OSError, SMTPException) as error:
        breakers.note_failure(MAIL)
        return _again(BACK_OFF.pause(digest.attempts), type(error).__name__)
    breakers.note_success(MAIL)
    digest.sent_at, digest.covered_until = clock.now(), until
    return Result(Digest.Outcome.SENT)


def _refused(digest: Digest, code: int, text: bytes | str) -> Result:
    """Return the result of a mail server's refusal: final from code 500 on, else for now."""
    reason = f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    if code >= 500:
        return Result(Digest.Outcome.REFUSED, reason=reason)
    return _again(BACK_OFF.pause(digest.attempts), reason)


def _again(seconds: float, reason: str) -> Result:
    return Result.again(Digest.Outcome.WAITING, seconds=seconds, reason=reason)


def digest_mail(user: User, parts: list[DigestPart], last_at: datetime.datetime | None) -> EmailMultiAlternatives:
    """Return the mail to a person, as text and HTML, with one-click unsubscribing (RFC 8058).

    `last_at` is when the digest before was sent.
    """
    address = f"{settings.PUBLIC_URL}/unsubscribe/{unsubscribe_token(user.pk)}"
    count = sum(part.unread_count for part in parts)
    context = {"parts": parts, "count": count, "home": settings.PUBLIC_URL, "unsubscribe": address}
    mail = EmailMultiAlternatives(
        subject=f"{count} unread message{'s' if count != 1 else ''}",
        body=render_to_string("notifications/digest.txt", context),
        to=[user.email],
        headers={
            "List-Unsubscribe": f"<{address}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            # The same if the mail is sent again after a process died: a mail program shows it once.
            "Message-ID": f"<digest.{user.pk}.{int(last_at.timestamp()) if last_at else 0}@{settings.PUBLIC_URL.split('://')[-1]}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("notifications/digest.html", context), "text/html")
    return mail


def _unread_since() -> datetime.datetime:
    return clock.now() - datetime.timedelta(minutes=settings.DIGEST_AFTER_MINUTES)


def _with_unread(above: int, up_to: int) -> Iterable[UUID]:
    """Return people with a mail address who have not read a message of others in this span of the log."""
    written = Event.objects.filter(
        id__gt=above,
        id__lte=up_to,
        kind=NEW_MESSAGE.name,
        conversation_id=OuterRef("conversation_id"),
        sequence__gt=OuterRef("last_read_sequence"),
        sequence__gte=OuterRef("history_from"),
    ).exclude(actor_id=OuterRef("user_id"))
    active = Event.objects.filter(id__gt=above, id__lte=up_to, kind=NEW_MESSAGE.name).values("conversation_id")
    readers = Participant.objects.filter(conversation_id__in=active, left_at=None, user__is_active=True)
    readers = readers.filter(Exists(written)).exclude(user__email="")
    readers = readers.exclude(user__notification_preferences__email=False)
    return readers.order_by().values_list("user_id", flat=True).distinct().iterator(chunk_size=CHUNK)


def _queue(user_ids: Iterable[UUID]) -> None:
    """Queue digests: due now, or when the period since the person's last one is over."""
    now, period = clock.now(), datetime.timedelta(minutes=settings.DIGEST_PERIOD_MINUTES)
    ids = list(user_ids)
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        again_at = Greatest(Coalesce(F("sent_at") + period, now), now)
        Digest.objects.filter(user_id__in=some, next_at=None).update(
            outcome=Digest.Outcome.WAITING,
            attempts=0,
            next_at=again_at,
            queued_at=None,
        )
        Digest.objects.bulk_create([Digest(user_id=id, next_at=now) for id in some], ignore_conflicts=True)
