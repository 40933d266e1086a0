"""Joining and leaving groups, and roles in them."""

import datetime
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction

from conversations import event_log
from conversations.errors import ConversationFull
from conversations.event_kinds import PARTICIPANT_ADDED, PARTICIPANT_REMOVED, PARTICIPANT_UPDATED
from conversations.frames import ParticipantAdded, ParticipantRemoved, ParticipantUpdated
from conversations.models import Conversation, Participant
from conversations.selectors import participant_body, participant_in
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
from realtime.wire.errors import Forbidden


def add_participants(*, user_id: UUID, conversation_id: UUID, user_ids: Sequence[UUID]) -> list[Participant]:
    """Add people to a group; return the new participants. Nothing changes for people who are members already.

    New members, also those who return, see the history from this moment on.

    :raises NotFound: the user is not in the conversation.
    :raises Forbidden: the user may not add people, or is one of a blocked pair with one of these.
    :raises Invalid: one of these is not an active user.
    :raises ConversationFull: the group would have more participants than the limit.
    """
    wanted = list(dict.fromkeys(user_ids))
    people = check_people(wanted, "user_ids")
    with transaction.atomic():
        participant = locked_participant(user_id, conversation_id)
        require(participant, "add_participants")
        conversation = participant.conversation
        known = {
            each.user_id: each
            for each in Participant.objects.filter(conversation_id=conversation_id, user_id__in=wanted)
        }
        coming = [each for each in wanted if each not in known or known[each].left_at is not None]
        check_not_blocked(user_id, coming)
        if conversation.participant_count + len(coming) > settings.LIMITS.group_participants:
            raise ConversationFull(settings.LIMITS.group_participants)
        if not coming:
            return []
        now = clock.now()
        entries, participants = [], []
        for each in coming:
            entry = event_log.take(conversation, PARTICIPANT_ADDED, at=now, actor_id=user_id, user_id=each)
            sequence = entry.sequence
            new = known.get(each) or Participant(conversation=conversation)
            new.user = people[each]
            start_membership(new, Role.MEMBER, now, history_from=sequence)
            entry.frame = ParticipantAdded(
                conversation_id=conversation.id, sequence=sequence, participant=participant_body(new)
            )
            entry.joins = {each: sequence}
            entries.append(entry)
            participants.append(new)
        Participant.objects.bulk_create([each for each in participants if each.pk is None])
        for returning in participants:
            if returning.user_id in known:
                returning.save()
        conversation.participant_count += len(coming)
        event_log.append(entries)
        send_membership_changed(conversation, "participants_added", user_id, now, user_ids=coming)
    return participants


def remove_participant(*, user_id: UUID, conversation_id: UUID, other_id: UUID) -> None:
    """Remove a person from a group. Nobody can remove the owner, and only the owner can remove an admin.

    :raises NotFound: the user is not in the conversation.
    :raises NotAParticipant: the other person is not in it.
    :raises Forbidden: the user may not remove this person.
    """
    if other_id == user_id:
        leave(user_id=user_id, conversation_id=conversation_id)
        return
    with transaction.atomic():
        participant = locked_participant(user_id, conversation_id)
        require(participant, "remove_participants")
        other = participant_in(conversation_id, other_id)
        if other.role == Role.OWNER or (other.role == Role.ADMIN and participant.role != Role.OWNER):
            raise Forbidden("You may not remove this person.")
        now = clock.now()
        _part(participant.conversation, other, actor_id=user_id, at=now)
        send_membership_changed(participant.conversation, "participant_removed", user_id, now, user_ids=[other_id])


def leave(*, user_id: UUID, conversation_id: UUID) -> None:
    """Leave a group. If the owner leaves, the admin who joined first becomes owner, or the first member without admins.

    :raises NotFound: the user is not in the conversation.
    :raises Forbidden: it is a direct conversation.
    """
    with transaction.atomic():
        participant = locked_participant(user_id, conversation_id)
        require(participant, "leave")
        now = clock.now()
        _part(participant.conversation, participant, actor_id=user_id, at=now)
        if participant.role == Role.OWNER:
            _appoint_successor(participant.conversation, actor_id=user_id, at=now)
        send_membership_changed(participant.conversation, "participant_left", user_id, now, user_ids=[user_id])


def update_participant(
    *,
    user_id: UUID,
    conversation_id: UUID,
    other_id: UUID,
    role: str | None = None,
    can_send_messages: bool | None = None,
) -> Participant:
    """Change a participant's role or right to write; return the participant.

    Only the owner changes roles. The owner changes anybody's right to write, an admin that of members.
    A participant who is made owner replaces the former owner, who becomes an admin.

    :raises NotFound: the user is not in the conversation.
    :raises NotAParticipant: the other person is not in it.
    :raises Forbidden: the user may not do this.
    """
    with transaction.atomic():
        participant = locked_participant(user_id, conversation_id)
        conversation = participant.conversation
        if conversation.type == Conversation.Type.DIRECT:
            raise Forbidden("A direct conversation has no roles.")
        other = participant_in(conversation_id, other_id)
        changed: list[Participant] = []
        if role == other.role:
            role = None
        if role is not None:
            require(participant, "change_roles")
            if other_id == user_id:
                raise Forbidden("The owner hands the group over by making another participant its owner.")
            other.role = role
            if role == Role.OWNER:
                participant.role = Role.ADMIN
                changed.append(participant)
                other.can_send_messages = True  # nobody has the right to give it back to an owner
        if can_send_messages is not None and can_send_messages != other.can_send_messages:
            require(participant, "remove_participants")
            if other.role == Role.OWNER or (participant.role != Role.OWNER and other.role != Role.MEMBER):
                raise Forbidden("You may not change this person's right to write.")
            other.can_send_messages = can_send_messages
            changed.append(other)
        elif role is not None:
            changed.append(other)
        if changed:
            now = clock.now()
            event_log.append([_updated(conversation, each, actor_id=user_id, at=now) for each in changed])
            if role is not None:
                send_membership_changed(conversation, "role_changed", user_id, now, user_ids=[other_id])
    return other


def _part(conversation: Conversation, participant: Participant, *, actor_id: UUID, at: datetime.datetime) -> None:
    participant.left_at = at
    participant.save(update_fields=["left_at"])
    conversation.participant_count -= 1
    entry = event_log.take(conversation, PARTICIPANT_REMOVED, at=at, actor_id=actor_id, user_id=participant.user_id)
    entry.frame = ParticipantRemoved(
        conversation_id=conversation.id, sequence=entry.sequence, user_id=participant.user_id
    )
    entry.leaves = [participant.user_id]
    event_log.append([entry])


def _appoint_successor(conversation: Conversation, *, actor_id: UUID, at: datetime.datetime) -> None:
    participants = list(
        Participant.objects.select_related("user")
        .filter(conversation=conversation, left_at=None)
        .order_by("joined_at", "id")
    )
    admins = [participant for participant in participants if participant.role == Role.ADMIN]
    if not participants:
        return
    heir = (admins or participants)[0]
    heir.role = Role.OWNER
    heir.can_send_messages = True  # nobody has the right to give it back to an owner
    event_log.append([_updated(conversation, heir, actor_id=actor_id, at=at)])


def _updated(
    conversation: Conversation, participant: Participant, *, actor_id: UUID, at: datetime.datetime
) -> event_log.Entry:
    participant.save(update_fields=["role", "can_send_messages"])
    entry = event_log.take(conversation, PARTICIPANT_UPDATED, at=at, actor_id=actor_id, user_id=participant.user_id)
    entry.frame = ParticipantUpdated(
        conversation_id=conversation.id, sequence=entry.sequence, participant=participant_body(participant)
    )
    return entry
