"""Steps that several services take when they change something about a message."""

import datetime
from uuid import UUID

from conversations import event_log
from conversations.event_kinds import EventKind
from conversations.models import Conversation, Participant
from messaging.models import Message
from messaging.selectors import bodies_for, message_frame, visible_message
from realtime.wire.errors import NotFound


def locked_message(user_id: UUID, message_id: UUID, *, deleted_too: bool = False) -> tuple[Message, Participant]:
    """Lock the conversation of a message, and return the message and the user's participant as they are under the lock.

    :raises NotFound: as `visible_message`; also for a deleted message, unless `deleted_too`.
    """
    message, _ = visible_message(user_id, message_id)
    Conversation.objects.select_for_update(no_key=True).get(id=message.conversation_id)
    message, participant = visible_message(user_id, message_id)
    if message.deleted_at is not None and not deleted_too:
        raise NotFound("message")
    return message, participant


def log_message_event(kind: EventKind, message: Message, participant: Participant, at: datetime.datetime) -> None:
    """Append an event about a message to the log; its frame shows the message as it is now."""
    entry = event_log.take(
        participant.conversation,
        kind,
        at=at,
        actor_id=participant.user_id,
        message_id=message.id,
        subject_sequence=message.sequence,
    )
    (body,) = bodies_for(None, [message])
    entry.frame = message_frame(kind.name, body, entry.sequence)
    event_log.append([entry])
