"""Why a request about a message is refused."""

from realtime.wire.errors import DomainError


class IdempotencyConflict(DomainError):
    """The client_message_id was used for another message."""

    def __init__(self) -> None:
        super().__init__(
            "idempotency_conflict",
            "This client_message_id was used for another message; a new message needs a new id.",
        )


class EditWindowClosed(DomainError):
    """The message is too old to be edited."""

    def __init__(self, seconds: int) -> None:
        super().__init__("edit_window_closed", f"A message can be edited for {seconds} seconds.")
