"""Works on one delivery: decides again, sends, and writes the result."""

import random
import threading
from collections import defaultdict
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from conversations.models import Participant
from messaging.models import Message
from notifications.decision import PushDecision, PushOutcome
from notifications.models import Delivery, PushDevice
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push, Refused
from notifications.selectors.facts import PushFacts, facts_from_rows
from notifications.selectors.reading import DeliveryRow, delivery_statement, users_without_unread
from notifications.senders import sender_of
from notifications.services import breakers, devices
from notifications.services.collect import badge_after, sync_of
from notifications.services.queue import BackOff, Leases, Result
from notifications.services.wording import push_for
from realtime.database import clock
from realtime.database.crash import crash_point
from realtime.database.rows import Columns, as_uuid, one_id, pipelined

# Longer than an attempt takes.
LEASE_SECONDS = 25
# If the whole provider fails, a push pauses no longer than its breaker stays open: the breaker limits the requests, and
# no push may wait minutes after the provider is back.
BACK_OFF = BackOff(first=2, most=300, least_share=0.5)
# A push service is run by strangers and may answer anything.
MOST_RETRY_AFTER_SECONDS = 3600.0
# At most so many pushes of this process go to one provider at a time: a slow one leaves threads for the others.
AT_A_TIME = max(1, settings.WORKER_CONCURRENCY - settings.WORKER_CONCURRENCY // 4)

_BADGES = Columns(PushDevice, "id", "badge")
_leases = Leases(
    Delivery,
    "provider",
    "breaker",
    "provider_id",
    "superseded_by",
    "attempts",
    "attempted_at",
    "answered_at",
    "is_under_way",
    seconds=LEASE_SECONDS,
    on_claim="is_under_way = TRUE",
)
_slots: dict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(AT_A_TIME))


def deliver(delivery_id: UUID) -> PushOutcome | None:
    """Work on a delivery that is due; return its outcome, or None if it is done or another worker has it.

    A provider may get a push twice if this process dies between the provider's answer and the write: both carry the
    same id and the same collapse id, so the device shows it once.
    """
    claimed = _leases.claim_and_read(delivery_id, partial(delivery_statement, delivery_id))
    if claimed is None:
        return None
    delivery, read = claimed
    _write(delivery, _work_on(delivery, DeliveryRow(*read[0])))
    crash_point("after_record")
    return PushOutcome(delivery.outcome)


def _work_on(delivery: Delivery, row: DeliveryRow) -> Result:
    """Decide about a delivery, and attempt it if that is the decision."""
    if row.device_id is None:
        return Result(PushOutcome.TOKEN_DEAD)
    (facts,) = facts_from_rows([row])
    # The session may have registered with another provider since.
    delivery.provider, delivery.breaker = facts.address.provider, facts.breaker
    decision = facts.decide(clock.now()) if delivery.kind == Delivery.Kind.MESSAGE else _about_silent(delivery, facts)
    if decision.outcome is PushOutcome.SUPERSEDED:
        delivery.superseded_by = as_uuid(row.newer_id)
    if decision.outcome is not PushOutcome.SEND:
        return Result(decision.outcome, decision.again_at)
    return _attempt(delivery, facts, row)


def _about_silent(delivery: Delivery, facts: PushFacts) -> PushDecision:
    """Decide about a push that shows no message."""
    if not facts.device.is_signed_in:
        return PushDecision(PushOutcome.TOKEN_DEAD)
    if (clock.now() - delivery.decided_at).total_seconds() > settings.NOTIFICATION_TIMINGS.live:
        return PushDecision(PushOutcome.EXPIRED)
    return PushDecision(PushOutcome.SEND)


def _attempt(delivery: Delivery, facts: PushFacts, row: DeliveryRow) -> Result:
    """Send a push once, unless there is no sender for it or it must wait its turn."""
    try:
        sender = sender_of(delivery.provider)
    except (ValueError, OSError) as error:
        # The operator can correct the keys.
        return Result.again(PushOutcome.LATER, seconds=BACK_OFF.most, reason=f"the keys cannot be used: {error}")
    if sender is None:
        return Result(PushOutcome.REFUSED, reason="this server has no keys for the provider")
    slot = _slots[delivery.provider]
    # One push at a time of a conversation: of two, the older might arrive last, with its text and its badge.
    if row.other_under_way or not slot.acquire(blocking=False):
        return Result.again(delivery.outcome, seconds=random.uniform(0.5, 1.5))  # noqa: S311 - no secret
    try:
        if not breakers.may_pass(delivery.breaker):
            seconds = random.uniform(1, breakers.PROBE_SECONDS)  # noqa: S311 - no secret
            return Result.again(PushOutcome.LATER, seconds=seconds)
        push = push_for(delivery, facts.address, row)
        if push.kind != "sync" and facts.address.badge != push.badge:
            # Written before the push is sent: if the person reads at once, `collect_readers` must find the number.
            _write_badge(delivery.device_id, push.badge)
        delivery.attempts += 1
        delivery.attempted_at = clock.now()
        crash_point("before_push")
        answer = sender.send(push)
        crash_point("after_push")
    finally:
        slot.release()
    return _result_of(delivery, push, answer)


def _write_badge(device_id: UUID, badge: int) -> None:
    """Write the number that a device is about to show."""
    update = _BADGES.update([(device_id, badge)])
    with connection.cursor() as cursor:
        cursor.execute(update.text, update.parameters)


def _result_of(delivery: Delivery, push: Push, answer: Answer) -> Result:
    """Return the result that a provider's answer means; count it for the breaker, and forget a dead token."""
    if isinstance(answer, Busy):
        if answer.counts:
            breakers.note_failure(delivery.breaker)
        most = breakers.OPEN_SECONDS if answer.counts else BACK_OFF.most
        asked_for = min(answer.retry_after or 0, MOST_RETRY_AFTER_SECONDS)
        pause = max(asked_for, BACK_OFF.pause(delivery.attempts, most=most))
        return Result.again(PushOutcome.LATER, seconds=pause, reason=answer.reason)
    breakers.note_success(delivery.breaker)
    delivery.answered_at = clock.now()
    match answer:
        case Accepted(provider_id=provider_id):
            delivery.provider_id = (provider_id or "")[:200]
            return Result(PushOutcome.SENT)
        case Dead(reason=reason, since=since):
            devices.forget_dead_device(device_id=delivery.device_id, token=push.token, since=since)
            return Result(PushOutcome.TOKEN_DEAD, reason=reason)
        case Refused(reason=reason):
            return Result(PushOutcome.REFUSED, reason=reason)


def _write(delivery: Delivery, result: Result) -> None:
    """Write the result of a claimed delivery and what follows from it; nothing if the lease has run out."""
    delivery.is_under_way = False
    if not result.is_final:
        _leases.write(delivery, result)
        return
    with transaction.atomic():
        if result.outcome is PushOutcome.SUPERSEDED and not _newer_remains(delivery):
            delivery.superseded_by = None
            result = Result.again(PushOutcome.SEND, seconds=0)
        with pipelined():
            written = _leases.write(delivery, result)
            changes = _changes_during_push(delivery)
        if result.is_final and written.rowcount:
            is_deleted, is_read = changes.fetchone() or (False, False)
            _follow_up(delivery, is_deleted=bool(is_deleted), is_read=bool(is_read))


def _newer_remains(delivery: Delivery) -> bool:
    """Return whether the newer delivery waits or was sent; its row stays locked, so that it cannot end meanwhile."""
    assert delivery.superseded_by is not None
    newer = Delivery.objects.select_for_update().filter(pk=delivery.superseded_by).first()
    return newer is not None and (newer.next_at is not None or newer.outcome == PushOutcome.SENT)


def _changes_during_push(delivery: Delivery) -> CursorWrapper:
    """Read whether the message was deleted or read during the push: the sweep found no device then that showed it."""
    cursor = connection.cursor()
    message_id = one_id(delivery.message_id) if delivery.message_id is not None else None
    cursor.execute(
        f"SELECT m.deleted_at IS NOT NULL, NOT EXISTS (SELECT 1 FROM {Participant._meta.db_table} AS p "  # noqa: S608
        "WHERE p.conversation_id = m.conversation_id AND p.user_id = %s AND p.left_at IS NULL "
        f"AND p.last_read_sequence < m.sequence) FROM {Message._meta.db_table} AS m WHERE m.id = %s",
        [one_id(delivery.user_id), message_id],
    )
    return cursor


def _follow_up(delivery: Delivery, *, is_deleted: bool, is_read: bool) -> None:
    """Do what follows from a final outcome: for older messages that waited for it, a deleted and a read message."""
    now = clock.now()
    superseded = Delivery.objects.filter(superseded_by=delivery.pk)
    if delivery.outcome == PushOutcome.SUPERSEDED:
        superseded.update(superseded_by=delivery.superseded_by)
    elif delivery.outcome != PushOutcome.SENT:
        # Nothing was shown in their place: they are decided about again.
        superseded.update(outcome=PushOutcome.SEND, superseded_by=None, next_at=now, queued_at=None)
    # A device that shows, or may show, a deleted message is told to fetch: the sweep did not find it then.
    may_be_shown = delivery.outcome == PushOutcome.SENT or (
        delivery.outcome == PushOutcome.DELETED and delivery.attempts > 0
    )
    if delivery.kind == Delivery.Kind.MESSAGE and may_be_shown and is_deleted:
        Delivery.objects.bulk_create([sync_of(delivery, now)], ignore_conflicts=True)
    # The message was read while its push was being sent. The badge push of that read came earlier, or was never made.
    has_number = delivery.kind == Delivery.Kind.MESSAGE and delivery.provider != PushDevice.Provider.WEB_PUSH
    if has_number and delivery.outcome == PushOutcome.SENT and is_read and users_without_unread({delivery.user_id}):
        waiting = Delivery.objects.filter(device_id=delivery.device_id, kind=Delivery.Kind.BADGE, next_at__isnull=False)
        # Also one that is under way: it may have been sent before.
        waiting.update(next_at=now, queued_at=None, is_under_way=False)
        Delivery.objects.bulk_create([badge_after(delivery, now)], ignore_conflicts=True)
