"""Messages and receipts on the socket: queue, and answer after the commit."""

import time
from functools import lru_cache
from uuid import UUID

from messaging import frames, submit
from messaging.models import ReceiptChange
from messaging.services import device_positions
from messaging.services.receipts import ReceiptUpdate
from messaging.services.send import Sent
from realtime.database.crash import crash_point
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.errors import DomainError
from realtime.wire.frames import error_frame

# Parsing an id takes microseconds, and the same senders come again and again.
_id_of = lru_cache(maxsize=10_000)(UUID)


@registry.command(frames.SendMessage, answers=[frames.MessageAck])
def send_message(socket: Socket, command: frames.SendMessage) -> None:
    """Queue the message; the ack follows its commit."""
    socket.active_at = time.monotonic()

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

    submit.queue_send(command, conversation_id=command.conversation_id, sender_id=_id_of(socket.user_id), answer=answer)


@registry.command(frames.DeliveryReceipt)
def delivery_receipt(socket: Socket, command: frames.DeliveryReceipt) -> None:
    """Queue the receipt; only a refusal is answered, a success shows in the frames that it causes."""
    _queue_receipt(socket, command, ReceiptChange.Kind.DELIVERED)


@registry.command(frames.ReadReceipt)
def read_receipt(socket: Socket, command: frames.ReadReceipt) -> None:
    """Queue the receipt; only a refusal is answered, a success shows in the frames that it causes."""
    socket.active_at = time.monotonic()
    _queue_receipt(socket, command, ReceiptChange.Kind.READ)


def _queue_receipt(socket: Socket, command: frames.DeliveryReceipt | frames.ReadReceipt, kind: str) -> None:
    receipt = ReceiptUpdate(
        user_id=_id_of(socket.user_id),
        kind=kind,
        message_id=command.message_id,
        conversation_id=command.conversation_id,
        sequence=command.sequence,
        session_id=socket.session_id,
    )

    def answer(refusal: DomainError | None) -> None:
        if refusal is not None:
            socket.send(error_frame(refusal.body(), id=command.id))

    submit.queue_receipt(receipt, answer)


registry.on_tick(device_positions.buffer.tick)
registry.on_shutdown(device_positions.buffer.flush)
