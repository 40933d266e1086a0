"""Who is typing through this process: leases that end by themselves."""

import time

from django.conf import settings

from presence import frames, services
from realtime.database.threads import in_database_thread
from realtime.fanout.door import announce_now_without_commit
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.bodies import encode


class Typists:
    """Keeps a lease for each person who types in a conversation through this process."""

    def __init__(self) -> None:
        self._expires: dict[tuple[str, str], float] = {}
        # For each lease: blocked pairs of the typist, who are not notified, and until when that list is valid.
        self._blocked: dict[tuple[str, str], tuple[list[str], float]] = {}

    async def set(self, socket: Socket, conversation_id: str, is_typing: bool) -> None:
        """Begin, renew or end a lease, and notify the members, except those in a blocked pair with the typist.

        Nobody is notified of a person who chose to be invisible.

        :raises TryAgain: the database is away, so blocked pairs cannot be read.
        """
        key = (conversation_id, socket.user_id)
        if is_typing:
            lease = settings.LIMITS.typing_lease_seconds
            if key not in self._expires or self._blocked[key][1] <= time.monotonic():
                if await in_database_thread(services.is_invisible, socket.user_id):
                    return  # a lease that they had runs out
                blocked = await in_database_thread(services.blocked_members, socket.user_id, conversation_id)
                if conversation_id not in socket.topics:
                    return  # they left meanwhile
                self._blocked[key] = blocked, time.monotonic() + lease
            self._expires[key] = time.monotonic() + lease
        elif self._expires.pop(key, None) is None:
            return
        self._notify(key, is_typing, except_session=socket.session_id)

    def tick(self) -> None:
        """End the leases that ran out."""
        now = time.monotonic()
        for key in [key for key, expires in self._expires.items() if expires <= now]:
            del self._expires[key]
            self._notify(key, False)

    def _notify(self, key: tuple[str, str], is_typing: bool, except_session: str | None = None) -> None:
        conversation_id, user_id = key
        frame = frames.Typing(
            conversation_id=conversation_id,
            user_id=user_id,
            is_typing=is_typing,
            expires_in=settings.LIMITS.typing_lease_seconds if is_typing else 0,
        )
        announce_now_without_commit(
            [
                EphemeralEvent(
                    encode(frame).decode(),
                    conversation_id=conversation_id,
                    except_session=except_session,
                    except_users=self._blocked[key][0],
                )
            ]
        )
        if not is_typing:
            del self._blocked[key]


typists = Typists()
registry.on_tick(typists.tick)
