"""Authenticates sockets by bearer token or session cookie."""

from collections.abc import Collection, Sequence
from uuid import UUID

from accounts import selectors, services
from realtime.registry import Identity, registry


class DeviceSessions:
    """The registered authenticator."""

    def by_tokens(self, tokens: Sequence[str]) -> list[Identity | None]:
        """Return the identity of each bearer token, in order; None for an invalid one."""
        found = services.recognise_tokens(tokens)
        return [_identity(session.user_id, session.session_id) if session else None for session in found]

    def by_cookie(self, cookie: str) -> Identity | None:
        """Return the identity of a session cookie, given its value."""
        session = services.recognise_cookie(cookie)
        return _identity(session.user_id, session.id) if session else None

    def ended(self, session_ids: Collection[str]) -> Collection[str]:
        """Return the sessions that have ended."""
        return selectors.ended_sessions(session_ids)


def _identity(user_id: UUID, session_id: UUID) -> Identity:
    return Identity(user_id=str(user_id), session_id=str(session_id))


registry.register_authenticator(DeviceSessions())
