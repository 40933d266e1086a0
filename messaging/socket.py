"""Messages and receipts on the socket: check, queue in a lane, answer after the commit."""

import time
from functools import lru_cache
from uuid import UUID

from django.conf import settings

from messaging import frames
from messaging.models import ReceiptMove
from messaging.rates import message_wait
from messaging.services import device_marks
from messaging.services.drafts import Send, checked_send
from messaging.services.receipts import Mark, set_marks
from messaging.services.send import SENDING, Sent, send_messages
from realtime.database.crash import crash_point
from realtime.database.lanes import Lanes
from realtime.database.rows import on_postgresql
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.errors import DomainError
from realtime.wire.frames import error_frame
from realtime.writes.pipelined_lane import PipelinedLane

# To parse an id takes microseconds, and who writes writes again.
_id_of = lru_cache(maxsize=10_000)(UUID)

_by_threads: Lanes[Send, Sent] = Lanes(send_messages, count=settings.WRITE_LANES)
_sends = PipelinedLane(SENDING, _by_threads) if on_postgresql() else _by_threads
_marks: Lanes[Mark, None] = Lanes(set_marks, count=1)


@registry.command(frames.SendMessage, answers=[frames.MessageAck])
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


@registry.command(frames.DeliveryReceipt)
def delivery_receipt(socket: Socket, command: frames.DeliveryReceipt) -> None:
    """Queue the mark; a refusal is answered, a success is seen by its frames."""
    _set_mark(socket, command, ReceiptMove.Kind.DELIVERED)


@registry.command(frames.ReadReceipt)
def read_receipt(socket: Socket, command: frames.ReadReceipt) -> None:
    """Queue the mark; a refusal is answered, a success is seen by its frames."""
    socket.active_at = time.monotonic()
    _set_mark(socket, command, ReceiptMove.Kind.READ)


def _set_mark(socket: Socket, command: frames.DeliveryReceipt | frames.ReadReceipt, kind: str) -> None:
    mark = Mark(
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

    _marks.submit(socket.user_id, mark, answer)


registry.on_tick(device_marks.notes.tick)
registry.on_shutdown(device_marks.notes.flush)
registry.drain_waits_while(lambda: not (_sends.idle and _marks.idle))
