"""A participant's own settings in a conversation. Only their own devices see and get them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from conversations import event_log
from conversations.event_kinds import MY_PLACE_UPDATED
from conversations.models import Participant
from conversations.services.steps import locked_participant
from realtime.database import clock


def update_own_settings(*, user_id: UUID, conversation_id: UUID, changes: Mapping[str, Any]) -> Participant:
    """Change `muted_until`, `notification_level`, `pinned` or `archived` of a participant; return the participant.

    The change is an event of the log, so that live delivery and catch-up bring it to all devices of the user. Other
    members get this event hidden. A `muted_until` in the past means not muted.

    :raises NotFound: the user is not in the conversation.
    """
    with transaction.atomic():
        participant = locked_participant(user_id, conversation_id)
        now = clock.now()
        wanted = dict(changes)
        if (until := wanted.get("muted_until")) is not None and until <= now:
            wanted["muted_until"] = None
        changed = [name for name, value in wanted.items() if getattr(participant, name) != value]
        if changed:
            for name in changed:
                setattr(participant, name, wanted[name])
            participant.save(update_fields=changed)
            event_log.append(
                [event_log.take(participant.conversation, MY_PLACE_UPDATED, at=now, actor_id=user_id, user_id=user_id)]
            )
    return participant
