"""Ends sessions after a new password, wherever it was set."""

from typing import Any

from accounts import services


class EndsSessions:
    """A "validator" that accepts everything: only validators are notified by Django of a changed password.

    A session of an old password is dead already, since its fingerprint is another; this closes its sockets at once.
    """

    def validate(self, password: str, user: Any = None) -> None:
        """Accept every password."""

    def get_help_text(self) -> str:
        """Return the help text that forms show beside the field."""
        return "A new password ends all sessions."

    def password_changed(self, password: str, user: Any = None) -> None:
        """End all sessions of the person."""
        services.revoke_all_sessions(user_id=user.pk)
