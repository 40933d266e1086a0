"""Messages and receipts on the socket: check, queue in a lane, answer after the commit."""

import time
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.db.models import Max

from conversations import event_log
from conversations.models import Conversation, Event
from messaging import frames, selectors
from messaging.models import ReceiptChange
from messaging.rates import message_wait
from messaging.selectors import Unread, unread_counts, with_newest_message
from messaging.services import device_positions
from messaging.services.drafts import Send, checked_send
from messaging.services.receipts import ReceiptUpdate, ephemeral_events_of, receipt_key, record_receipts
from messaging.services.send import SENDING, Sent, send_messages
from realtime import registry
from realtime.database.crash import crash_point
from realtime.database.lanes import Lanes
from realtime.database.look_back import LookBack
from realtime.database.rows import on_postgresql
from realtime.fanout.sockets import Socket
from realtime.wire.announcements import EphemeralEvent, RowKey
from realtime.wire.errors import DomainError
from realtime.wire.frames import error_frame
from realtime.writes.pipelined_lane import PipelinedLane

# To parse an id takes microseconds, and who writes writes again.
_id_of = lru_cache(maxsize=10_000)(UUID)

_by_threads: Lanes[Send, Sent] = Lanes(send_messages, count=settings.WRITE_LANES)
_sends = PipelinedLane(SENDING, _by_threads) if on_postgresql() else _by_threads
_receipts: Lanes[ReceiptUpdate, None] = Lanes(record_receipts, count=1)


def send_message(socket: Socket, command: frames.SendMessage) -> None:
    """Queue the message; the ack follows its commit."""
    socket.active_at = time.monotonic()
    send = checked_send(command, conversation_id=command.conversation_id, sender_id=_id_of(socket.user_id))
    if wait := message_wait(socket.user_id):
        raise DomainError("rate_limited", "Too many messages.", retry_after=wait)

    def answer(result: Sent | DomainError) -> None:
        crash_point("before_ack")
        if isinstance(result, DomainError):
            socket.send(error_frame(result.body(), id=command.id, client_message_id=str(command.client_message_id)))
            return
        socket.send(
            frames.MessageAck(
                client_message_id=command.client_message_id,
                message_id=result.message_id,
                conversation_id=result.conversation_id,
                sequence=result.sequence,
                created_at=result.created_at,
                duplicate=result.duplicate,
                id=command.id,
            )
        )

    _sends.submit(command.conversation_id, send, answer)


def delivery_receipt(socket: Socket, command: frames.DeliveryReceipt) -> None:
    """Queue the mark; a refusal is answered, a success is seen by its frames."""
    _record_receipt(socket, command, ReceiptChange.Kind.DELIVERED)


def read_receipt(socket: Socket, command: frames.ReadReceipt) -> None:
    """Queue the mark; a refusal is answered, a success is seen by its frames."""
    socket.active_at = time.monotonic()
    _record_receipt(socket, command, ReceiptChange.Kind.READ)


def _record_receipt(socket: Socket, command: frames.DeliveryReceipt | frames.ReadReceipt, kind: str) -> None:
    update = ReceiptUpdate(
        user_id=_id_of(socket.user_id),
        kind=kind,
        message_id=command.message_id,
        conversation_id=command.conversation_id,
        sequence=command.sequence,
        session_id=socket.session_id,
    )

    def answer(result: DomainError | None) -> None:
        if isinstance(result, DomainError):
            socket.send(error_frame(result.body(), id=command.id))

    _receipts.submit(socket.user_id, update, answer)


class RecentReceipts:
    """Finds receipts whose announcement this process may have missed."""

    def __init__(self) -> None:
        self._look_back = LookBack(first=0)

    def __call__(self, seen: Callable[[RowKey], bool]) -> list[EphemeralEvent]:
        """Return the ephemeral events of moves committed lately that were not seen."""
        floor = self._look_back.floor(ReceiptChange.objects.aggregate(newest=Max("id"))["newest"] or 0)
        ids = ReceiptChange.objects.filter(id__gt=floor).values_list("id", flat=True)
        unseen = [id for id in ids if not seen(receipt_key(id))]
        changes = list(with_newest_message(ReceiptChange.objects.filter(id__in=unseen)).order_by("id"))
        conversations = Conversation.objects.in_bulk({change.conversation_id for change in changes})
        announcements = []
        for change in changes:
            unread = unread_counts(change.user_id, [change.conversation_id]).get(change.conversation_id, Unread(0, 0))
            announcements += ephemeral_events_of(change, conversations[change.conversation_id], unread)
        return announcements


def register() -> None:
    """Register with the ground floor and the event log; called once, when the apps are ready."""
    registry.register_command(frames.SendMessage, send_message)
    registry.register_command(frames.DeliveryReceipt, delivery_receipt)
    registry.register_command(frames.ReadReceipt, read_receipt)
    registry.register_frames(
        frames.MessageAck,
        frames.NewMessage,
        frames.MessageUpdated,
        frames.MessageDeleted,
        frames.MessageDelivered,
        frames.MessageRead,
        frames.ConversationRead,
    )
    registry.recent_ephemeral_events.append(RecentReceipts())
    registry.ticks.append(device_positions.buffer.tick)
    registry.last_words.append(device_positions.buffer.flush)
    registry.busy_checks.append(lambda: not (_sends.idle and _receipts.idle))
    event_log.register_renderer(
        [Event.Kind.NEW_MESSAGE, Event.Kind.MESSAGE_UPDATED, Event.Kind.MESSAGE_DELETED], selectors.render_events
    )
    event_log.register_messages_at(selectors.messages_at)
    event_log.register_receipts_since(selectors.receipts_since)
