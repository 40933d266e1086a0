"""Sends and receipts from both transports: checked, counted against the rate limit and written in the same way.

REST waits for the write. The socket queues it: a lane writes everything that queued up in one transaction, and
answers each after the commit.
"""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings

from messaging.frames import MessageDraft
from messaging.rates import take_message
from messaging.services.drafts import Send, checked_send
from messaging.services.receipts import ReceiptUpdate, record_receipt, record_receipts
from messaging.services.send import SENDING, Sent, send_messages
from messaging.services.send import send_message as write_message
from realtime.database.lanes import Lanes
from realtime.database.rows import on_postgresql
from realtime.registry import registry
from realtime.wire.errors import DomainError
from realtime.writes.pipelined_lane import PipelinedLane

_by_threads: Lanes[Send, Sent] = Lanes(send_messages, count=settings.WRITE_LANES)
sends = PipelinedLane(SENDING, _by_threads) if on_postgresql() else _by_threads
receipts: Lanes[ReceiptUpdate, None] = Lanes(record_receipts, count=1)
registry.drain_waits_while(lambda: not (sends.idle and receipts.idle))


def send_now(draft: MessageDraft, *, conversation_id: UUID, sender_id: UUID) -> Sent:
    """Write a message and return it.

    :raises DomainError: it was refused.
    """
    return write_message(_admitted(draft, conversation_id, sender_id))


def queue_send(
    draft: MessageDraft, *, conversation_id: UUID, sender_id: UUID, answer: Callable[[Sent | DomainError], None]
) -> None:
    """Queue a message; `answer` is called after its commit, or with its refusal.

    :raises DomainError: it was refused before it was queued.
    """
    sends.submit(conversation_id, _admitted(draft, conversation_id, sender_id), answer)


def _admitted(draft: MessageDraft, conversation_id: UUID, sender_id: UUID) -> Send:
    """Check a draft, then take one message from its sender's allowance."""
    send = checked_send(draft, conversation_id=conversation_id, sender_id=sender_id)
    take_message(str(sender_id))
    return send


def receipt_now(receipt: ReceiptUpdate) -> None:
    """Write a receipt.

    :raises DomainError: it was refused.
    """
    record_receipt(receipt)


def queue_receipt(receipt: ReceiptUpdate, answer: Callable[[DomainError | None], None]) -> None:
    """Queue a receipt; `answer` is called after its commit, or with its refusal."""
    receipts.submit(receipt.user_id, receipt, answer)
