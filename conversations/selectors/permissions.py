"""What the members of a conversation may do in it."""

from conversations.models import Conversation, Participant
from conversations.selectors.participants import ParticipantOrRow


def may_write(*, can_send_messages: bool, blocked: bool) -> bool:
    """Return whether a member may write: the right was not withdrawn, and the conversation is not blocked.

    Only direct conversations are blocked: while one of the two blocks the other, neither writes.
    """
    return can_send_messages and not blocked


def permissions(participant: ParticipantOrRow) -> list[str]:
    """Return the names of everything that a member may do."""
    conversation = participant.conversation
    writes = may_write(can_send_messages=participant.can_send_messages, blocked=conversation.blocked)
    may = ["send_messages"] if writes else []
    if conversation.type == Conversation.Type.DIRECT:
        return may
    if participant.role in (Participant.Role.OWNER, Participant.Role.ADMIN):
        may += ["add_participants", "remove_participants", "update_conversation"]
    if participant.role == Participant.Role.OWNER:
        may.append("change_roles")
    return [*may, "leave"]
