"""Editing and deleting messages, and system messages."""

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from conversations import event_log
from conversations.models import Participant
from conversations.selectors import permissions
from conversations.signals import MembershipChanged
from messaging import frames
from messaging.errors import EditWindowClosed
from messaging.event_kinds import MESSAGE_DELETED, MESSAGE_UPDATED, NEW_MESSAGE
from messaging.models import Message
from messaging.selectors import message_body
from messaging.services.drafts import check_text, checked_mentions
from messaging.services.mentions import replace_mentions
from messaging.services.receipts import count_as_read
from messaging.services.steps import locked_message, log_message_event
from realtime.database import clock
from realtime.wire.errors import Forbidden


def edit_message(*, user_id: UUID, message_id: UUID, content: str, mentions: Sequence[frames.Mention] = ()) -> Message:
    """Change the text and mentions of a user's own message, within the edit window.

    :raises NotFound: there is no such message that the user may see, or it was deleted.
    :raises Forbidden: it is somebody else's message, or has no text.
    :raises EditWindowClosed: it is too old.
    :raises Invalid: as `check_text` and `checked_mentions`, or a mentioned person was never in the conversation.
    """
    check_text(content)
    mentions = checked_mentions(mentions, content)
    with transaction.atomic():
        message, participant = locked_message(user_id, message_id)
        if message.sender_id != user_id or message.message_type != Message.Type.TEXT:
            raise Forbidden("You can edit your own text messages.")
        if "send_messages" not in permissions(participant):
            raise Forbidden("You may not write in this conversation.")
        window = settings.LIMITS.edit_window_seconds
        now = clock.now()
        if now - message.created_at > datetime.timedelta(seconds=window):
            raise EditWindowClosed(window)
        if content == message.content and msgspec.to_builtins(mentions) == message.mentions:
            return message
        message.content = content
        replace_mentions(message, mentions)
        message.edited_at = now
        message.save(update_fields=["content", "mentions", "edited_at"])
        log_message_event(MESSAGE_UPDATED, message, participant, now)
    return message


def delete_message_for_everyone(*, user_id: UUID, message_id: UUID) -> None:
    """Replace a message by an empty tombstone for everybody; nothing happens if it is one already.

    The sender may do this, and the owner and admins of a group.

    :raises NotFound: there is no such message that the user may see.
    :raises Forbidden: the user may not delete it.
    """
    with transaction.atomic():
        message, participant = locked_message(user_id, message_id, deleted_too=True)
        moderates = participant.role != Participant.Role.MEMBER  # in a direct conversation both are members
        if message.message_type == Message.Type.SYSTEM or (message.sender_id != user_id and not moderates):
            raise Forbidden("You may not delete this message for everyone.")
        if message.deleted_at is not None:
            return
        now = clock.now()
        message.content = ""
        message.metadata = {}
        replace_mentions(message, [])
        message.payload_digest = None
        message.deleted_at = now
        message.save(update_fields=["content", "metadata", "mentions", "payload_digest", "deleted_at"])
        count_as_read(message)
        log_message_event(MESSAGE_DELETED, message, participant, now)


def write_system_message(change: MembershipChanged) -> None:
    """Write a system message about a change of a group; the caller holds the row lock and the transaction."""
    metadata: dict[str, Any] = {"event": change.event, "actor_user_id": str(change.actor_id)}
    if change.user_ids:
        # The system message names at most 50 people; the participant events name all.
        metadata["user_ids"] = [str(user_id) for user_id in change.user_ids[:50]]
        metadata["user_count"] = len(change.user_ids)
    if change.name is not None:
        metadata["name"] = change.name
    message = Message(
        conversation=change.conversation,
        message_type=Message.Type.SYSTEM,
        metadata=metadata,
        created_at=change.at,
    )
    entry = event_log.take(
        change.conversation,
        NEW_MESSAGE,
        at=change.at,
        actor_id=change.actor_id,
        message_id=message.id,
    )
    message.sequence = entry.sequence
    entry.frame = frames.NewMessage(
        conversation_id=change.conversation.id, sequence=message.sequence, message=message_body(message)
    )
    message.save()
    event_log.append([entry])
