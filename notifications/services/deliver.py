"""Works on one delivery: decides again, sends, and records what the provider said."""

import datetime
import random
import threading
from collections import defaultdict
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.selectors import ended_sessions
from messaging.models import Message
from notifications.decision import Decision, Outcome
from notifications.models import Delivery, PushDevice
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push, Refused
from notifications.selectors.facts import breaker_of, facts_of, unread_total
from notifications.senders import sender_of
from notifications.services import breakers, devices
from notifications.services.collect import sync_of
from notifications.services.wording import push_for
from realtime import clock
from realtime.crash import crash_point
from realtime.rows import one_id, one_moment

# So long a delivery is its worker's: longer than an attempt takes. If the worker dies it is found again after that.
LEASE_SECONDS = 25
# The pause after a failed attempt doubles from the first to the second; a half to all of it is waited. Where the
# provider as a whole fails it ends at the breaker's, which spares the provider: after its return nobody is to wait for
# minutes.
BACKOFF_SECONDS = (2.0, 300.0)
# A push service may be anybody's, and say anything.
MOST_RETRY_AFTER_SECONDS = 3600.0
# As many pushes of this process go to one provider at a time, so that one that is slow does not take all its threads.
AT_A_TIME = max(1, settings.WORKER_CONCURRENCY - settings.WORKER_CONCURRENCY // 4)

_under_way: dict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(AT_A_TIME))


def deliver(delivery_id: UUID) -> None:
    """Work on a delivery that is due; nothing happens when somebody else does, or it is done.

    A provider may get a push twice if this process dies between its answer and the record: it carries the same id and
    the same collapse id, so that a device shows it once.
    """
    delivery = _claimed(delivery_id)
    if delivery is None:
        return
    device = PushDevice.objects.filter(id=delivery.device_id).select_related("apns", "fcm", "web_push").first()
    if device is None:
        _finish(delivery, Outcome.TOKEN_DEAD)
        return
    # The session may have another provider by now.
    delivery.provider, delivery.breaker = PushDevice.Provider(device.provider), breaker_of(device)
    decision, compose = _decided(delivery, device)
    if decision.outcome is not Outcome.SEND:
        _put_off_or_finish(delivery, decision)
        return
    try:
        sender = sender_of(delivery.provider)
    except (ValueError, OSError) as error:
        # The operator can mend the keys.
        _put_off(delivery, Outcome.LATER, BACKOFF_SECONDS[1], reason=f"the keys cannot be used: {error}")
        return
    if sender is None:
        _finish(delivery, Outcome.REFUSED, reason="this server has no keys for the provider")
        return
    slot = _under_way[delivery.provider]
    if not slot.acquire(blocking=False):
        _put_off(delivery, Outcome(delivery.outcome), 1)
        return
    try:
        if not breakers.may_pass(delivery.breaker):
            _put_off(delivery, Outcome.LATER, random.uniform(1, breakers.PROBE_SECONDS))  # noqa: S311 - no secret
            return
        push = compose()
        if push.kind != "sync" and device.badge != push.badge:
            # Before it is sent: who reads it at once is to be found as somebody who was told a number.
            PushDevice.objects.filter(pk=device.pk).update(badge=push.badge)
        delivery.attempts += 1
        delivery.attempted_at = clock.now()
        crash_point("before_push")
        answer = sender.send(push)
        crash_point("after_push")
    finally:
        slot.release()
    _record(delivery, device, push, answer)
    crash_point("after_record")


def _claimed(delivery_id: UUID) -> Delivery | None:
    """Take a delivery that is due for the time of a lease."""
    now = clock.now()
    lease = now + datetime.timedelta(seconds=LEASE_SECONDS)
    taken = Delivery.objects.raw(
        f"UPDATE {Delivery._meta.db_table} SET next_at = %s, hinted_at = NULL "  # noqa: S608 - a table's name
        "WHERE id = %s AND next_at <= %s RETURNING *",
        [one_moment(lease), one_id(delivery_id), one_moment(now)],
    )
    return next(iter(list(taken)), None)


def _decided(delivery: Delivery, device: PushDevice) -> tuple[Decision, Callable[[], Push]]:
    """Decide about a delivery as things are now; return the decision, and what makes the push."""
    if delivery.kind != Delivery.Kind.MESSAGE:
        return _about_silent(delivery, device), lambda: push_for(delivery, device, unread_total(delivery.user_id))
    assert delivery.message_id is not None
    message = Message.objects.select_related("conversation", "sender").filter(id=delivery.message_id).first()
    if message is None:
        return Decision(Outcome.DELETED), lambda: push_for(delivery, device, 0)
    (facts,) = facts_of(message, [device])
    delivery.superseded_by = facts.newer_id
    shown = message if facts.preferences.preview else None
    return facts.decide(clock.now()), lambda: push_for(delivery, device, unread_total(delivery.user_id), shown)


def _about_silent(delivery: Delivery, device: PushDevice) -> Decision:
    """Decide about a push that shows no message."""
    if ended_sessions([str(device.session_id)]):
        return Decision(Outcome.TOKEN_DEAD)
    if clock.now() - delivery.decided_at > datetime.timedelta(seconds=settings.NOTIFICATION_PACE.live):
        return Decision(Outcome.EXPIRED)
    return Decision(Outcome.SEND)


def _record(delivery: Delivery, device: PushDevice, push: Push, answer: Answer) -> None:
    """Write down what the provider said, and what follows from it."""
    match answer:
        case Accepted(provider_id=provider_id):
            breakers.note_success(delivery.breaker)
            _finish(delivery, Outcome.SENT, provider_id=(provider_id or "")[:200])
        case Dead(reason=reason):
            breakers.note_success(delivery.breaker)
            devices.forget_dead_device(device_id=device.pk, token=push.token, since=answer.since)
            _finish(delivery, Outcome.TOKEN_DEAD, reason=reason)
        case Refused(reason=reason):
            breakers.note_success(delivery.breaker)
            _finish(delivery, Outcome.REFUSED, reason=reason)
        case Busy(reason=reason, retry_after=retry_after, counts=counts):
            if counts:
                breakers.note_failure(delivery.breaker)
            most = breakers.OPEN_SECONDS if counts else BACKOFF_SECONDS[1]
            pause = max(min(retry_after or 0, MOST_RETRY_AFTER_SECONDS), _backoff(delivery.attempts - 1, most))
            _put_off(delivery, Outcome.LATER, pause, reason=reason)


def _backoff(attempts: int, most: float) -> float:
    wait: float = min(most, BACKOFF_SECONDS[0] * 2 ** min(attempts, 10))
    return wait * random.uniform(0.5, 1)  # noqa: S311 - no secret


def _put_off_or_finish(delivery: Delivery, decision: Decision) -> None:
    if decision.again_at is None:
        _finish(delivery, decision.outcome)
    else:
        _put_off(delivery, decision.outcome, (decision.again_at - clock.now()).total_seconds())


def _put_off(delivery: Delivery, outcome: Outcome, seconds: float, *, reason: str = "") -> None:
    """Let a delivery wait; the sweep finds it when it is due."""
    _mine(delivery).update(
        outcome=outcome,
        reason=reason[:200],
        next_at=clock.now() + datetime.timedelta(seconds=seconds),
        attempts=delivery.attempts,
        attempted_at=delivery.attempted_at,
    )


def _finish(delivery: Delivery, outcome: Outcome, *, reason: str = "", provider_id: str = "") -> None:
    """Write the last word about a delivery."""
    now = clock.now()
    with transaction.atomic():
        if outcome is Outcome.SUPERSEDED and not _still_gives_way(delivery):
            _mine(delivery).update(outcome=Outcome.SEND, next_at=now)
            return
        written = _mine(delivery).update(
            outcome=outcome,
            reason=reason[:200],
            provider_id=provider_id,
            superseded_by=delivery.superseded_by if outcome is Outcome.SUPERSEDED else None,
            attempts=delivery.attempts,
            attempted_at=delivery.attempted_at,
            answered_at=now,
            next_at=None,
        )
        if not written:
            return  # it took longer than the lease, and somebody else goes on with it
        followers = Delivery.objects.filter(superseded_by=delivery.pk)
        if outcome is Outcome.SUPERSEDED:
            followers.update(superseded_by=delivery.superseded_by)
        elif outcome is not Outcome.SENT:
            # Older messages that gave way to this one are to be decided about again: nothing was shown in their place.
            followers.update(outcome=Outcome.SEND, superseded_by=None, next_at=now, hinted_at=None)
        # A device that shows, or may show, what was deleted fetches that it is gone: the sweep did not find it then.
        may_be_shown = outcome is Outcome.SENT or (outcome is Outcome.DELETED and delivery.attempts > 0)
        if delivery.kind == Delivery.Kind.MESSAGE and may_be_shown and _was_deleted(delivery):
            Delivery.objects.bulk_create([sync_of(delivery, now)], ignore_conflicts=True)


def _mine(delivery: Delivery) -> QuerySet[Delivery]:
    """Return the row of a delivery while the lease under which it was taken is the one that stands in it."""
    return Delivery.objects.filter(pk=delivery.pk, next_at=delivery.next_at)


def _still_gives_way(delivery: Delivery) -> bool:
    """Return whether the newer delivery waits or was sent; its row stays locked, so that it cannot end meanwhile."""
    assert delivery.superseded_by is not None
    newer = Delivery.objects.select_for_update().filter(pk=delivery.superseded_by).first()
    return newer is not None and (newer.next_at is not None or newer.outcome == Outcome.SENT)


def _was_deleted(delivery: Delivery) -> bool:
    """Return whether a message was deleted while it was pushed: the sweep found no device then that showed it."""
    assert delivery.message_id is not None
    return Message.objects.filter(id=delivery.message_id, deleted_at__isnull=False).exists()
