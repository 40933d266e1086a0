"""What changes conversations and who is in them. Every function is one transaction under the row lock."""

import datetime
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from accounts.selectors import active_users
from conversations import event_log
from conversations.errors import ConversationFull
from conversations.frames import ParticipantAdded, ParticipantRemoved, ParticipantUpdated
from conversations.models import Conversation, Event, Participant
from conversations.selectors import participant_body, permissions, place_in, place_of
from conversations.signals import MembershipChanged, membership_changed
from realtime.errors import Forbidden, Invalid, NotFound

Role = Participant.Role


def start_direct(*, user: User, other_id: UUID) -> tuple[Conversation, bool]:
    """Find or create the one direct conversation of two people; return it and whether it is new.

    :raises Invalid: the other is oneself or nobody active.
    """
    if other_id == user.id:
        raise Invalid(participant_ids="a direct conversation needs another person")
    key = ":".join(sorted((str(user.id), str(other_id))))
    existing = Conversation.objects.filter(direct_key=key).first()
    if existing is not None:
        return existing, False
    _check_people([other_id], "participant_ids")
    try:
        with transaction.atomic():
            return _create(Conversation.Type.DIRECT, user, [user.id, other_id], direct_key=key), True
    except IntegrityError:
        # The other one was faster; the unique key left exactly one.
        return Conversation.objects.get(direct_key=key), False


def create_group(*, user: User, participant_ids: Sequence[UUID], name: str = "", description: str = "") -> Conversation:
    """Create a group of the user, its owner, and others.

    :raises Invalid: somebody named is nobody active.
    :raises ConversationFull: more people than a group may have.
    """
    others = [user_id for user_id in dict.fromkeys(participant_ids) if user_id != user.id]
    _check_people(others, "participant_ids")
    if len(others) + 1 > settings.LIMITS.group_participants:
        raise ConversationFull(settings.LIMITS.group_participants)
    with transaction.atomic():
        conversation = _create(
            Conversation.Type.GROUP, user, [user.id, *others], name=name.strip(), description=description.strip()
        )
        _tell(conversation, "group_created", user.id, conversation.created_at, user_ids=others)
    return conversation


def update_conversation(*, user_id: UUID, conversation_id: UUID, changes: dict[str, str]) -> None:
    """Change a group's name, description or avatar.

    :raises NotFound: not a conversation of this user.
    :raises Forbidden: the user may not change it.
    """
    with transaction.atomic():
        place = _locked_place(user_id, conversation_id)
        _require(place, "update_conversation")
        conversation = place.conversation
        changes = {name: value.strip() for name, value in changes.items()}
        changed = {name: value for name, value in changes.items() if getattr(conversation, name) != value}
        if not changed:
            return
        for name, value in changed.items():
            setattr(conversation, name, value)
        conversation.save(update_fields=list(changed))
        now = timezone.now()
        event_log.append([event_log.take(conversation, Event.Kind.CONVERSATION_UPDATED, at=now, actor_id=user_id)])
        if "name" in changed:
            _tell(conversation, "conversation_renamed", user_id, now, name=conversation.name)


def add_participants(*, user_id: UUID, conversation_id: UUID, user_ids: Sequence[UUID]) -> list[Participant]:
    """Add people to a group, or take them back in; who is in already stays as they are. Return the new places.

    Those who come see the history from their coming on.

    :raises NotFound: not a conversation of this user.
    :raises Forbidden: the user may not add people.
    :raises Invalid: somebody named is nobody active.
    :raises ConversationFull: it would have more people than it may.
    """
    wanted = list(dict.fromkeys(user_ids))
    _check_people(wanted, "user_ids")
    with transaction.atomic():
        place = _locked_place(user_id, conversation_id)
        _require(place, "add_participants")
        conversation = place.conversation
        known = {
            each.user_id: each
            for each in Participant.objects.filter(conversation_id=conversation_id, user_id__in=wanted)
        }
        coming = [each for each in wanted if each not in known or known[each].left_at is not None]
        if conversation.participant_count + len(coming) > settings.LIMITS.group_participants:
            raise ConversationFull(settings.LIMITS.group_participants)
        if not coming:
            return []
        now = timezone.now()
        people = {person.id: person for person in active_users(coming)}
        entries, places = [], []
        for each in coming:
            entry = event_log.take(conversation, Event.Kind.PARTICIPANT_ADDED, at=now, actor_id=user_id, user_id=each)
            sequence = entry.sequence
            new = known.get(each) or Participant(conversation=conversation, user_id=each)
            new.user = people[each]
            _take_place(new, Role.MEMBER, now, history_from=sequence)
            entry.frame = ParticipantAdded(
                conversation_id=str(conversation.id), sequence=sequence, participant=participant_body(new)
            )
            entry.joins = {each: sequence}
            entries.append(entry)
            places.append(new)
        Participant.objects.bulk_create([each for each in places if each.pk is None])
        for place_again in places:
            if place_again.user_id in known:
                place_again.save()
        conversation.participant_count += len(coming)
        event_log.append(entries)
        _tell(conversation, "participants_added", user_id, now, user_ids=coming)
    return places


def remove_participant(*, user_id: UUID, conversation_id: UUID, other_id: UUID) -> None:
    """Remove somebody from a group. Nobody removes the owner, and only the owner removes an admin.

    :raises NotFound: not a conversation of this user.
    :raises NotAParticipant: the other is not in it.
    :raises Forbidden: the user may not remove them.
    """
    if other_id == user_id:
        leave(user_id=user_id, conversation_id=conversation_id)
        return
    with transaction.atomic():
        place = _locked_place(user_id, conversation_id)
        _require(place, "remove_participants")
        other = place_in(conversation_id, other_id)
        if other.role == Role.OWNER or (other.role == Role.ADMIN and place.role != Role.OWNER):
            raise Forbidden("You may not remove this person.")
        now = timezone.now()
        _part(place.conversation, other, actor_id=user_id, at=now)
        _tell(place.conversation, "participant_removed", user_id, now, user_ids=[other_id])


def leave(*, user_id: UUID, conversation_id: UUID) -> None:
    """Leave a group. When the owner leaves, the longest-standing admin, else member, becomes the owner.

    :raises NotFound: not a conversation of this user.
    :raises Forbidden: it is a direct conversation.
    """
    with transaction.atomic():
        place = _locked_place(user_id, conversation_id)
        _require(place, "leave")
        now = timezone.now()
        _part(place.conversation, place, actor_id=user_id, at=now)
        if place.role == Role.OWNER:
            _appoint_heir(place.conversation, actor_id=user_id, at=now)
        _tell(place.conversation, "participant_left", user_id, now, user_ids=[user_id])


def update_participant(
    *,
    user_id: UUID,
    conversation_id: UUID,
    other_id: UUID,
    role: str | None = None,
    can_send_messages: bool | None = None,
) -> Participant:
    """Change somebody's role (owner only) or their right to write (owner; admins for members); return the place.

    Giving the role of owner hands the group over: the former owner becomes an admin.

    :raises NotFound: not a conversation of this user.
    :raises NotAParticipant: the other is not in it.
    :raises Forbidden: the user may not do this.
    """
    with transaction.atomic():
        place = _locked_place(user_id, conversation_id)
        conversation = place.conversation
        if conversation.type == Conversation.Type.DIRECT:
            raise Forbidden("A direct conversation has no roles.")
        other = place if other_id == user_id else place_in(conversation_id, other_id)
        changed: list[Participant] = []
        role_changes = role is not None and role != other.role
        if role is not None and role_changes:
            _require(place, "change_roles")
            if other_id == user_id:
                raise Forbidden("The owner hands the group over by making somebody else its owner.")
            other.role = role
            if role == Role.OWNER:
                place.role = Role.ADMIN
                changed.append(place)
                other.can_send_messages = True  # nobody could give it back to an owner
        if can_send_messages is not None and can_send_messages != other.can_send_messages:
            _require(place, "remove_participants")
            if (
                other_id == user_id
                or other.role == Role.OWNER
                or (place.role != Role.OWNER and other.role != Role.MEMBER)
            ):
                raise Forbidden("You may not change this person's right to write.")
            other.can_send_messages = can_send_messages
            changed.append(other)
        elif role_changes:
            changed.append(other)
        if changed:
            now = timezone.now()
            event_log.append([_updated(conversation, each, actor_id=user_id, at=now) for each in changed])
            if role_changes:
                _tell(conversation, "role_changed", user_id, now, user_ids=[other_id])
    return other


# --- Parts of the above --------------------------------------------------------------------


def _locked_place(user_id: UUID, conversation_id: UUID) -> Participant:
    """Lock the conversation, then return the member's place as it is under the lock.

    :raises NotFound: as `place_of`.
    """
    conversation = Conversation.objects.select_for_update().filter(id=conversation_id).first()
    if conversation is None:
        raise NotFound("conversation")
    place = place_of(user_id, conversation_id)
    place.conversation = conversation
    return place


def _require(place: Participant, permission: str) -> None:
    if permission not in permissions(place):
        raise Forbidden(f"Your role does not include {permission}.")


def _check_people(user_ids: Sequence[UUID], field: str) -> None:
    missing = set(user_ids) - {person.id for person in active_users(user_ids)}
    if missing:
        raise Invalid(**{field: f"no such user: {', '.join(sorted(map(str, missing)))[:200]}"})


def _create(type: str, user: User, member_ids: Sequence[UUID], **fields: str) -> Conversation:
    now = timezone.now()
    conversation = Conversation.objects.create(
        type=type,
        created_by=user,
        created_at=now,
        updated_at=now,
        last_activity_at=now,
        participant_count=len(member_ids),
        **fields,
    )
    places = []
    for member_id in member_ids:
        role = Role.OWNER if type == Conversation.Type.GROUP and member_id == user.id else Role.MEMBER
        place = Participant(conversation=conversation, user_id=member_id)
        _take_place(place, role, now, history_from=1)
        places.append(place)
    Participant.objects.bulk_create(places)
    entry = event_log.take(conversation, Event.Kind.CONVERSATION_CREATED, at=now, actor_id=user.id)
    entry.joins = dict.fromkeys(member_ids, 1)
    event_log.append([entry])
    return conversation


def _take_place(place: Participant, role: str, at: datetime.datetime, *, history_from: int) -> None:
    """Make a place current: nothing before it counts as unread, delivered or read late."""
    conversation = place.conversation
    place.role = role
    place.can_send_messages = True
    place.joined_at = at
    place.left_at = None
    place.history_from = history_from
    place.last_read_sequence = place.last_delivered_sequence = history_from - 1
    place.read_message_count = conversation.message_count
    place.read_sent_count = place.sent_count


def _part(conversation: Conversation, place: Participant, *, actor_id: UUID, at: datetime.datetime) -> None:
    place.left_at = at
    place.save(update_fields=["left_at"])
    conversation.participant_count -= 1
    entry = event_log.take(
        conversation, Event.Kind.PARTICIPANT_REMOVED, at=at, actor_id=actor_id, user_id=place.user_id
    )
    entry.frame = ParticipantRemoved(
        conversation_id=str(conversation.id), sequence=entry.sequence, user_id=str(place.user_id)
    )
    entry.leaves = [place.user_id]
    event_log.append([entry])


def _appoint_heir(conversation: Conversation, *, actor_id: UUID, at: datetime.datetime) -> None:
    places = list(
        Participant.objects.select_related("user")
        .filter(conversation=conversation, left_at=None)
        .order_by("joined_at", "id")
    )
    admins = [place for place in places if place.role == Role.ADMIN]
    if not places:
        return
    heir = (admins or places)[0]
    heir.role = Role.OWNER
    heir.can_send_messages = True  # nobody could give it back to an owner
    event_log.append([_updated(conversation, heir, actor_id=actor_id, at=at)])


def _updated(
    conversation: Conversation, place: Participant, *, actor_id: UUID, at: datetime.datetime
) -> event_log.Entry:
    place.save(update_fields=["role", "can_send_messages"])
    entry = event_log.take(
        conversation, Event.Kind.PARTICIPANT_UPDATED, at=at, actor_id=actor_id, user_id=place.user_id
    )
    entry.frame = ParticipantUpdated(
        conversation_id=str(conversation.id), sequence=entry.sequence, participant=participant_body(place)
    )
    return entry


def _tell(
    conversation: Conversation,
    event: str,
    actor_id: UUID,
    at: datetime.datetime,
    *,
    user_ids: list[UUID] | None = None,
    name: str | None = None,
) -> None:
    if conversation.type == Conversation.Type.GROUP:
        change = MembershipChanged(conversation, event, actor_id, at, user_ids=user_ids or [], name=name)
        membership_changed.send(sender=Conversation, change=change)
