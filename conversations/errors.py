"""Why a request about a conversation is refused."""

from realtime.wire.errors import DomainError


class NotAParticipant(DomainError):
    """The named user is not in the conversation."""

    def __init__(self) -> None:
        super().__init__("not_a_participant", "This user is not in the conversation.")


class ResyncRequired(DomainError):
    """This viewer cannot be given the requested part of the log; the client has to load the conversation anew."""

    def __init__(self) -> None:
        super().__init__("resync_required", "This part of the log cannot be given; load the conversation anew.")


class ConversationFull(DomainError):
    """The group would have more participants than the limit allows."""

    def __init__(self, most: int) -> None:
        super().__init__("conflict", f"A group has at most {most} participants.")
