"""Works on one delivery: decides again, sends, and records what the provider said."""

import datetime
import random
import threading
from collections import defaultdict
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from messaging.models import Message
from notifications.decision import Decision, Outcome
from notifications.models import Delivery, PushDevice
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push, Refused
from notifications.selectors.facts import Facts, facts_in
from notifications.selectors.reading import DeliveryRow, finding
from notifications.senders import sender_of
from notifications.services import breakers, devices
from notifications.services.collect import sync_of
from notifications.services.wording import push_for
from realtime.database import clock
from realtime.database.crash import crash_point
from realtime.database.rows import Columns, as_uuid, one_id, one_moment, pipelined

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

_TABLE = Delivery._meta.db_table
_ALL = Columns.of_all(Delivery)
# What is written of an attempt, or of the decision that there is none.
_WRITTEN = Columns(
    Delivery,
    "id",
    "provider",
    "breaker",
    "outcome",
    "reason",
    "provider_id",
    "superseded_by",
    "attempts",
    "attempted_at",
    "answered_at",
    "next_at",
    "is_under_way",
)
_BADGES = Columns(PushDevice, "id", "badge")

_slots: dict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(AT_A_TIME))


def deliver(delivery_id: UUID) -> None:
    """Work on a delivery that is due; nothing happens when somebody else does, or it is done.

    A provider may get a push twice if this process dies between its answer and the record: it carries the same id and
    the same collapse id, so that a device shows it once.
    """
    taken = _taken(delivery_id)
    if taken is None:
        return
    delivery, row = taken
    if row.device_id is None:
        _finish(delivery, Outcome.TOKEN_DEAD)
        return
    (facts,) = facts_in([row])
    # The session may have another provider by now.
    delivery.provider, delivery.breaker = facts.address.provider, facts.breaker
    delivery.superseded_by = as_uuid(row.newer_id) if row.newer_id is not None else None
    decision = facts.decide(clock.now()) if delivery.kind == Delivery.Kind.MESSAGE else _about_silent(delivery, facts)
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
    slot = _slots[delivery.provider]
    # Of a conversation one after the other: of two at a time the older might come last, with its text and its badge.
    if row.other_under_way or not slot.acquire(blocking=False):
        _put_off(delivery, Outcome(delivery.outcome), random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        return
    try:
        if not breakers.may_pass(delivery.breaker):
            _put_off(delivery, Outcome.LATER, random.uniform(1, breakers.PROBE_SECONDS))  # noqa: S311 - no secret
            return
        push = push_for(delivery, facts.address, row)
        if push.kind != "sync" and facts.address.badge != push.badge:
            # Before it is sent: who reads it at once is to be found as somebody who was told a number.
            _note_badge(delivery.device_id, push.badge)
        delivery.attempts += 1
        delivery.attempted_at = clock.now()
        crash_point("before_push")
        answer = sender.send(push)
        crash_point("after_push")
    finally:
        slot.release()
    _record(delivery, push, answer)
    crash_point("after_record")


def _taken(delivery_id: UUID) -> tuple[Delivery, DeliveryRow] | None:
    """Take a delivery that is due for the time of a lease, and read in the same round trip what must be known of it."""
    now = clock.now()
    lease = now + datetime.timedelta(seconds=LEASE_SECONDS)
    facts = finding(delivery_id, lease, now)
    with pipelined():
        taking, reading = connection.cursor(), connection.cursor()
        taking.execute(
            f"UPDATE {_TABLE} SET next_at = %s, hinted_at = NULL, is_under_way = TRUE "  # noqa: S608 - names only
            f"WHERE id = %s AND next_at <= %s RETURNING {_ALL.of(_TABLE)}",
            [one_moment(lease), one_id(delivery_id), one_moment(now)],
        )
        # After the commit, so that whatever is taken later sees this one under way, or is seen by it.
        with pipelined():
            reading.execute(facts.text, facts.parameters)
    taken, read = _ALL.converted(taking.fetchall()), reading.fetchall()
    return (_ALL.instance(taken[0]), DeliveryRow(*read[0])) if taken else None


def _about_silent(delivery: Delivery, facts: Facts) -> Decision:
    """Decide about a push that shows no message."""
    if not facts.state.is_signed_in:
        return Decision(Outcome.TOKEN_DEAD)
    if clock.now() - delivery.decided_at > datetime.timedelta(seconds=settings.NOTIFICATION_PACE.live):
        return Decision(Outcome.EXPIRED)
    return Decision(Outcome.SEND)


def _note_badge(device_id: UUID, badge: int) -> None:
    """Remember the number that a device is told."""
    note = _BADGES.update([(device_id, badge)])
    with connection.cursor() as cursor:
        cursor.execute(note.text, note.parameters)


def _record(delivery: Delivery, push: Push, answer: Answer) -> None:
    """Write down what the provider said, and what follows from it."""
    if isinstance(answer, Busy):
        if answer.counts:
            breakers.note_failure(delivery.breaker)
        most = breakers.OPEN_SECONDS if answer.counts else BACKOFF_SECONDS[1]
        pause = max(min(answer.retry_after or 0, MOST_RETRY_AFTER_SECONDS), _backoff(delivery.attempts - 1, most))
        _put_off(delivery, Outcome.LATER, pause, reason=answer.reason)
        return
    breakers.note_success(delivery.breaker)
    delivery.answered_at = clock.now()
    match answer:
        case Accepted(provider_id=provider_id):
            _finish(delivery, Outcome.SENT, provider_id=provider_id or "")
        case Dead(reason=reason):
            devices.forget_dead_device(device_id=delivery.device_id, token=push.token, since=answer.since)
            _finish(delivery, Outcome.TOKEN_DEAD, reason=reason)
        case Refused(reason=reason):
            _finish(delivery, Outcome.REFUSED, reason=reason)


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
    again_at = clock.now() + datetime.timedelta(seconds=seconds)
    _write(delivery, outcome, again_at, reason=reason)


def _finish(delivery: Delivery, outcome: Outcome, *, reason: str = "", provider_id: str = "") -> None:
    """Write the last word about a delivery."""
    with transaction.atomic():
        if outcome is Outcome.SUPERSEDED and not _still_gives_way(delivery):
            _write(delivery, Outcome.SEND, clock.now())
            return
        with pipelined():
            written = _write(delivery, outcome, None, reason=reason, provider_id=provider_id)
            deleted = _deleted_message(delivery)
        if not written.rowcount:
            return  # it took longer than the lease, and somebody else goes on with it
        now = clock.now()
        if outcome is not Outcome.SENT:
            _release_followers(delivery, outcome, now)
        # A device that shows, or may show, what was deleted fetches that it is gone: the sweep did not find it then.
        may_be_shown = outcome is Outcome.SENT or (outcome is Outcome.DELETED and delivery.attempts > 0)
        if delivery.kind == Delivery.Kind.MESSAGE and may_be_shown and deleted.fetchone() is not None:
            Delivery.objects.bulk_create([sync_of(delivery, now)], ignore_conflicts=True)


def _release_followers(delivery: Delivery, outcome: Outcome, now: datetime.datetime) -> None:
    """Have older messages that gave way to this one give way to its successor, or be decided about again."""
    followers = Delivery.objects.filter(superseded_by=delivery.pk)
    if outcome is Outcome.SUPERSEDED:
        followers.update(superseded_by=delivery.superseded_by)
    else:
        # Nothing was shown in their place.
        followers.update(outcome=Outcome.SEND, superseded_by=None, next_at=now, hinted_at=None)


def _still_gives_way(delivery: Delivery) -> bool:
    """Return whether the newer delivery waits or was sent; its row stays locked, so that it cannot end meanwhile."""
    assert delivery.superseded_by is not None
    newer = Delivery.objects.select_for_update().filter(pk=delivery.superseded_by).first()
    return newer is not None and (newer.next_at is not None or newer.outcome == Outcome.SENT)


def _write(
    delivery: Delivery,
    outcome: Outcome,
    next_at: datetime.datetime | None,
    *,
    reason: str = "",
    provider_id: str = "",
) -> CursorWrapper:
    """Write what became of a delivery; nothing if the lease under which it was taken holds no longer."""
    assert delivery.next_at is not None
    update = _WRITTEN.update(
        [
            (
                delivery.pk,
                delivery.provider,
                delivery.breaker,
                outcome,
                reason[:200],
                provider_id[:200],
                delivery.superseded_by if outcome is Outcome.SUPERSEDED else None,
                delivery.attempts,
                delivery.attempted_at,
                delivery.answered_at,
                next_at,
                False,
            )
        ]
    )
    cursor = connection.cursor()
    cursor.execute(f"{update.text} AND {_TABLE}.next_at = %s", [*update.parameters, one_moment(delivery.next_at)])
    return cursor


def _deleted_message(delivery: Delivery) -> CursorWrapper:
    """Look whether a message was deleted while it was pushed: the sweep found no device then that showed it."""
    cursor = connection.cursor()
    message_id = one_id(delivery.message_id) if delivery.message_id is not None else None
    cursor.execute(
        f"SELECT 1 FROM {Message._meta.db_table} WHERE id = %s AND deleted_at IS NOT NULL",  # noqa: S608 - a table's name
        [message_id],
    )
    return cursor
