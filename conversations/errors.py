"""Refusals around conversations."""

from realtime.wire.errors import DomainError


class NotAParticipant(DomainError):
    """The named user is not in the conversation."""

    def __init__(self) -> None:
        super().__init__("not_a_participant", "This user is not in the conversation.")


class ResyncRequired(DomainError):
    """The asked-for part of the log cannot be given to this viewer: load the conversation anew."""

    def __init__(self) -> None:
        super().__init__("resync_required", "This part of the log cannot be given; load the conversation anew.")


class ConversationFull(DomainError):
    """The conversation has as many participants as it may have."""

    def __init__(self, most: int) -> None:
        super().__init__("conflict", f"A group has at most {most} participants.")
