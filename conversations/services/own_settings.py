"""What somebody sets for themselves in a conversation: nobody else sees it, and all their devices learn of it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from conversations import event_log
from conversations.models import Event, Participant
from conversations.services.steps import locked_participant
from realtime.database import clock


def update_own_settings(*, user_id: UUID, conversation_id: UUID, changes: Mapping[str, Any]) -> Participant:
    """Change `muted_until`, `notification_level`, `pinned` and `archived` of one's own place; return it.

    It takes a number of the log, so that live delivery and catch-up bring it to all devices; others see that number
    hidden. A time in the past means not muted.

    :raises NotFound: not a conversation of this user.
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
                [
                    event_log.take(
                        participant.conversation, Event.Kind.MY_PLACE_UPDATED, at=now, actor_id=user_id, user_id=user_id
                    )
                ]
            )
    return participant
