"""Creating and changing conversations."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.selectors import is_blocked_pair
from accounts.services import lock_people
from conversations import event_log
from conversations.errors import ConversationFull
from conversations.event_kinds import CONVERSATION_CREATED, CONVERSATION_UPDATED
from conversations.models import GROUP_NAME_LENGTH, Conversation, Participant
from conversations.services.steps import (
    Role,
    check_not_blocked,
    check_people,
    locked_participant,
    require,
    send_membership_changed,
    start_membership,
)
from realtime.database import clock
from realtime.wire.errors import Forbidden, Invalid
from realtime.wire.text import checked_name


def start_direct(*, user: User, other_id: UUID) -> tuple[Conversation, bool]:
    """Find or create the only direct conversation of two people; return it and whether it is new.

    :raises Invalid: the other person is the user, or not an active user.
    :raises Forbidden: one of the two blocks the other, and they have no conversation yet.
    """
    if other_id == user.id:
        raise Invalid(participant_ids="a direct conversation needs another person")
    key = _direct_key(user.id, other_id)
    existing = Conversation.objects.filter(direct_key=key).first()
    if existing is not None:
        return existing, False
    check_people([other_id], "participant_ids")
    try:
        with transaction.atomic():
            lock_people([user.id, other_id])
            if is_blocked_pair(user.id, other_id):
                raise Forbidden("You cannot write to this person.")
            return _create(Conversation.Type.DIRECT, user, [user.id, other_id], direct_key=key), True
    except IntegrityError:
        # The other person created it at the same moment; the unique key allows only one.
        return Conversation.objects.get(direct_key=key), False


def create_group(*, user: User, participant_ids: Sequence[UUID], name: str = "", description: str = "") -> Conversation:
    """Create a group with the user as owner and others as members.

    :raises Invalid: one of the others is not an active user, or the name is not valid.
    :raises Forbidden: one of the others blocks the user or is blocked by them.
    :raises ConversationFull: the group would have more participants than the limit.
    """
    name = checked_name(name, field="name", most=GROUP_NAME_LENGTH)
    others = [user_id for user_id in dict.fromkeys(participant_ids) if user_id != user.id]
    check_people(others, "participant_ids")
    check_not_blocked(user.id, others)
    if len(others) + 1 > settings.LIMITS.group_participants:
        raise ConversationFull(settings.LIMITS.group_participants)
    with transaction.atomic():
        conversation = _create(
            Conversation.Type.GROUP, user, [user.id, *others], name=name, description=description.strip()
        )
        send_membership_changed(conversation, "group_created", user.id, conversation.created_at, user_ids=others)
    return conversation


def follow_block(*, user_id: UUID, other_id: UUID) -> None:
    """Block the direct conversation of two people if one of them blocks the other, else unblock it.

    Runs inside the transaction of the block. The devices of both get a `conversation_updated` with new permissions.
    """
    direct = Conversation.objects.select_for_update(no_key=True).filter(direct_key=_direct_key(user_id, other_id))
    conversation = direct.first()
    if conversation is None or conversation.blocked == is_blocked_pair(user_id, other_id):
        return
    conversation.blocked = not conversation.blocked
    conversation.save(update_fields=["blocked"])
    entry = event_log.take(conversation, CONVERSATION_UPDATED, at=clock.now(), actor_id=user_id)
    event_log.append([entry])


def update_conversation(*, user_id: UUID, conversation_id: UUID, changes: Mapping[str, str | bool]) -> None:
    """Change a group's name, description, avatar or settings (`notifications_enabled`).

    :raises NotFound: the user is not in the conversation.
    :raises Forbidden: the user may not change it.
    :raises Invalid: the name is not valid.
    """
    with transaction.atomic():
        participant = locked_participant(user_id, conversation_id)
        require(participant, "update_conversation")
        conversation = participant.conversation
        wanted = {name: value.strip() if isinstance(value, str) else value for name, value in changes.items()}
        if isinstance(new_name := wanted.get("name"), str):
            wanted["name"] = checked_name(new_name, field="name", most=GROUP_NAME_LENGTH)
        changed = {name: value for name, value in wanted.items() if getattr(conversation, name) != value}
        if not changed:
            return
        for name, value in changed.items():
            setattr(conversation, name, value)
        conversation.save(update_fields=list(changed))
        now = clock.now()
        event_log.append([event_log.take(conversation, CONVERSATION_UPDATED, at=now, actor_id=user_id)])
        if "name" in changed:
            send_membership_changed(conversation, "conversation_renamed", user_id, now, name=conversation.name)


def _direct_key(user_id: UUID, other_id: UUID) -> str:
    return ":".join(sorted((str(user_id), str(other_id))))


def _create(type: str, user: User, member_ids: Sequence[UUID], **fields: str) -> Conversation:
    now = clock.now()
    conversation = Conversation.objects.create(
        type=type,
        created_by=user,
        created_at=now,
        updated_at=now,
        last_activity_at=now,
        participant_count=len(member_ids),
        **fields,
    )
    participants = []
    for member_id in member_ids:
        role = Role.OWNER if type == Conversation.Type.GROUP and member_id == user.id else Role.MEMBER
        participant = Participant(conversation=conversation, user_id=member_id)
        start_membership(participant, role, now, history_from=1)
        participants.append(participant)
    Participant.objects.bulk_create(participants)
    entry = event_log.take(conversation, CONVERSATION_CREATED, at=now, actor_id=user.id)
    entry.joins = dict.fromkeys(member_ids, 1)
    event_log.append([entry])
    return conversation
