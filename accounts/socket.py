"""Lets the socket recognise bearer tokens and browser cookies."""

from collections.abc import Collection, Sequence

from accounts import selectors
from accounts.models import DeviceSession
from realtime import registry
from realtime.registry import Identity


class DeviceSessions:
    """The registered authenticator."""

    def by_tokens(self, tokens: Sequence[str]) -> list[Identity | None]:
        """Return whose bearer tokens these are, in order."""
        return [_identity(session) for session in selectors.sessions_of_tokens(tokens)]

    def by_cookie(self, cookie: str) -> Identity | None:
        """Return whose browser session the session cookie names, given its value."""
        return _identity(selectors.session_of_cookie(cookie))

    def ended(self, session_ids: Collection[str]) -> Collection[str]:
        """Return those of the sessions that no longer live."""
        return selectors.ended_sessions(session_ids)


def _identity(session: DeviceSession | None) -> Identity | None:
    return Identity(user_id=str(session.user_id), session_id=str(session.id)) if session else None


def register() -> None:
    """Register with the ground floor; called once, when the apps are ready."""
    registry.register_authenticator(DeviceSessions())
