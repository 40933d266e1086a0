"""Decides for every device of every member whether a message is pushed to it, some members at a time."""

import datetime
from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db import transaction

from conversations.models import Participant
from messaging.models import Message
from notifications.decision import PushOutcome
from notifications.models import Delivery, FanOut, PushDevice
from notifications.selectors.facts import PushFacts, facts_of_message
from notifications.services import in_app
from notifications.services.queue import MOST_QUEUED, lock
from realtime.database import clock
from realtime.database.crash import crash_point

# Members in one transaction.
CHUNK = 1_000


def fan_out(message_id: UUID) -> Iterator[list[UUID]]:
    """Decide for all devices of all members; yield the deliveries that the caller is to enqueue, chunk by chunk.

    A chunk and its progress are committed when it is yielded: after a worker's death another one goes on there. At
    most `MOST_QUEUED` deliveries are yielded; the sweep enqueues the rest when these are done. Nothing is yielded if
    another worker has the message, or it is done.
    """
    queued = 0
    while (chunk := _next_chunk(message_id, MOST_QUEUED - queued)) is not None:
        queued += len(chunk)
        yield chunk


def _next_chunk(message_id: UUID, most: int) -> list[UUID] | None:
    with transaction.atomic():
        now = clock.now()
        # Locked until the chunk is written: a second worker finds this chunk done, or leaves the message alone.
        fan_out = lock(FanOut.objects.filter(message_id=message_id, next_at__lte=now))
        if fan_out is None:
            return None
        message = Message.objects.select_related("conversation").filter(id=message_id).first()
        members = _members_after(fan_out, message)
        deliveries: list[Delivery] = []
        if message is not None and members:
            others = [user_id for user_id in members if user_id != message.sender_id]
            devices = list(PushDevice.objects.filter(user_id__in=others).order_by().values_list("id", flat=True))
            deliveries = [_delivery(facts, message, now) for facts in facts_of_message(message.id, devices)]
            for delivery in [each for each in deliveries if each.outcome is PushOutcome.SEND][:most]:
                delivery.queued_at = now
            Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
            in_app.note_message(message, others)
        if members:
            fan_out.after = members[-1]
        if len(members) < CHUNK:
            fan_out.next_at, fan_out.decided_at = None, now
        fan_out.save()
        crash_point("in_fan_out")
        return [delivery.pk for delivery in deliveries if delivery.queued_at is not None]


def _members_after(fan_out: FanOut, message: Message | None) -> Sequence[UUID]:
    """Return the next members who may see the message, in the order of their ids."""
    if message is None:
        return []
    members = Participant.objects.filter(conversation_id=fan_out.conversation_id, left_at=None)
    if fan_out.after is not None:
        members = members.filter(user_id__gt=fan_out.after)
    return list(members.order_by("user_id").values_list("user_id", flat=True)[:CHUNK])


def _delivery(facts: PushFacts, message: Message, now: datetime.datetime) -> Delivery:
    """Return the delivery that records a decision; unless the decision is final, it waits for a worker.

    Whether a newer message supersedes it is decided by that worker, who can lock the newer delivery.
    """
    decision = facts.decide(now)
    waits = decision.outcome is PushOutcome.SEND or decision.again_at is not None
    return Delivery(
        message_id=message.id,
        conversation_id=message.conversation_id,
        sequence=message.sequence,
        user_id=facts.address.user_id,
        device_id=facts.address.device_id,
        provider=facts.address.provider,
        breaker=facts.breaker,
        outcome=decision.outcome,
        decided_at=now,
        next_at=(decision.again_at or now) if waits else None,
    )
