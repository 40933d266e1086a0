"""Mail about messages that stay unread: one to a person and period, whatever dies in between."""

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
from notifications.selectors.digests import Part, digest_of
from notifications.selectors.unsubscribing import unsubscribe_token
from notifications.services import breakers
from realtime.database import clock

Outcome = Digest.Outcome
# People noted in one statement.
CHUNK = 5_000
LEASE_SECONDS = 60
MAIL = "mail"


def collect_digests() -> None:
    """Note who has messages that stayed unread for the time that the settings say.

    By then every transaction that wrote one has long ended: nothing below the newest one that is old enough is missing.
    """
    with transaction.atomic():
        progress = Progress.objects.select_for_update(skip_locked=True).filter(name=MAIL).first()
        if progress is None:
            return
        old_enough = Event.objects.filter(id__gt=progress.floor, created_at__lte=_unread_since())
        newest = old_enough.aggregate(newest=Max("id"))["newest"]
        if newest is None:
            return
        if settings.MAIL_ENABLED:
            _note(_with_unread(progress.floor, newest))
        progress.floor = newest
        progress.save()


def send_digest(user_id: UUID) -> None:
    """Send somebody's digest, if it is due and anything is still unread; nothing happens when somebody else does."""
    digest = _claimed(user_id)
    if digest is None:
        return
    preferences = Preferences.objects.filter(user_id=user_id).first() or Preferences(user_id=user_id)
    user = digest.user
    if not (user.is_active and user.email and preferences.email):
        _finish(digest, Outcome.OFF)
        return
    until = _unread_since()
    parts = digest_of(user, preferences=preferences, older_than=until, since=digest.covered_until)
    if not parts:
        _finish(digest, Outcome.READ)
        return
    if not breakers.may_pass(MAIL):
        _put_off(digest, breakers.PROBE_SECONDS, "the mail server did not answer lately")
        return
    try:
        digest_mail(user, parts, digest.sent_at).send()
    except (SMTPAuthenticationError, SMTPConnectError, SMTPHeloError, SMTPSenderRefused) as error:
        # Our own mistake, which the operator can mend.
        breakers.note_failure(MAIL)
        _put_off(digest, _backoff(digest.attempts), f"{error.smtp_code} {type(error).__name__}")
    except SMTPRecipientsRefused as refusal:
        code, said = next(iter(refusal.recipients.values()))
        _take(digest, code, said)
    except SMTPResponseException as refusal:
        _take(digest, refusal.smtp_code, refusal.smtp_error)
    except (OSError, SMTPException) as error:
        breakers.note_failure(MAIL)
        _put_off(digest, _backoff(digest.attempts), type(error).__name__)
    else:
        breakers.note_success(MAIL)
        _finish(digest, Outcome.SENT, covered_until=until)


def digest_mail(user: User, parts: list[Part], last_at: datetime.datetime | None) -> EmailMultiAlternatives:
    """Return the mail to a person: as text and as HTML, with a way to unsubscribe by one click (RFC 8058).

    `last_at` is when they got the one before.
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
            # The same when it is sent again after a death: a mail program shows it once.
            "Message-ID": f"<digest.{user.pk}.{int(last_at.timestamp()) if last_at else 0}@{settings.PUBLIC_URL.split('://')[-1]}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("notifications/digest.html", context), "text/html")
    return mail


def _unread_since() -> datetime.datetime:
    return clock.now() - datetime.timedelta(minutes=settings.DIGEST_AFTER_MINUTES)


def _with_unread(above: int, up_to: int) -> Iterable[UUID]:
    """Return who has an address and has not read a message of others in this part of the log."""
    written = Event.objects.filter(
        id__gt=above,
        id__lte=up_to,
        kind=NEW_MESSAGE.name,
        conversation_id=OuterRef("conversation_id"),
        sequence__gt=OuterRef("last_read_sequence"),
        sequence__gte=OuterRef("history_from"),
    ).exclude(actor_id=OuterRef("user_id"))
    active = Event.objects.filter(id__gt=above, id__lte=up_to, kind=NEW_MESSAGE.name).values("conversation_id")
    places = Participant.objects.filter(conversation_id__in=active, left_at=None, user__is_active=True)
    places = places.filter(Exists(written)).exclude(user__email="").exclude(user__notification_preferences__email=False)
    return places.order_by().values_list("user_id", flat=True).distinct().iterator(chunk_size=CHUNK)


def _note(user_ids: Iterable[UUID]) -> None:
    """Note digests that are due now, or when the period since the last one is over."""
    now, period = clock.now(), datetime.timedelta(minutes=settings.DIGEST_PERIOD_MINUTES)
    ids = list(user_ids)
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        again_at = Greatest(Coalesce(F("sent_at") + period, now), now)
        Digest.objects.filter(user_id__in=some, next_at=None).update(
            outcome=Outcome.WAITING,
            attempts=0,
            next_at=again_at,
            hinted_at=None,
        )
        Digest.objects.bulk_create([Digest(user_id=id, next_at=now) for id in some], ignore_conflicts=True)


def _claimed(user_id: UUID) -> Digest | None:
    now = clock.now()
    lease = now + datetime.timedelta(seconds=LEASE_SECONDS)
    due = Digest.objects.filter(user_id=user_id, next_at__lte=now)
    if not due.update(next_at=lease, hinted_at=None, attempts=F("attempts") + 1):
        return None
    return Digest.objects.select_related("user").get(user_id=user_id)


def _take(digest: Digest, code: int, said: bytes | str) -> None:
    """Take a mail server's refusal: for good, or for now."""
    reason = f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    if code >= 500:
        _finish(digest, Outcome.REFUSED, reason=reason)
    else:
        _put_off(digest, _backoff(digest.attempts), reason)


def _backoff(attempts: int) -> float:
    """Return how many seconds a mail waits after so many attempts: half a minute, then twice as long, up to an hour."""
    return float(min(3600, 30 * 2 ** (attempts - 1)))


def _put_off(digest: Digest, seconds: float, reason: str) -> None:
    next_at = clock.now() + datetime.timedelta(seconds=seconds)
    Digest.objects.filter(pk=digest.pk).update(reason=reason[:200], next_at=next_at)


def _finish(
    digest: Digest, outcome: Digest.Outcome, *, reason: str = "", covered_until: datetime.datetime | None = None
) -> None:
    Digest.objects.filter(pk=digest.pk).update(
        outcome=outcome,
        reason=reason[:200],
        next_at=None,
        sent_at=clock.now() if covered_until else digest.sent_at,
        covered_until=covered_until or digest.covered_until,
    )
