"""Presence and typing on the socket: leases of this process's connections, renewed in one batch per tick."""

import logging
import random
import time
from collections import defaultdict

import redis
from django.conf import settings

from presence import frames, services
from presence.store import Lease, Status
from realtime import registry
from realtime.database import clock
from realtime.database.threads import in_database_thread
from realtime.fanout.door import announce_now_without_commit
from realtime.fanout.sockets import Socket
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.bodies import encode
from realtime.wire.errors import NotFound, TryAgain
from realtime.wire.wire_frame import WireFrame

log = logging.getLogger("chatsite.presence")

# A lease outlives two renewals that fail.
LEASE_SECONDS = 60.0
RENEW_SECONDS = 20.0
LOOK_SECONDS = 2.0
# Who does something after a while is known to be active at the next look; who goes on, as late as this.
ACTIVE_SECONDS = 10.0
TOLD_AT_ONCE = 50


class Connections:
    """The connections of this process as leases."""

    def __init__(self) -> None:
        self._sockets: dict[str, Socket] = {}
        # What was written of each: its status, when its user last did something, and when it is to be written again.
        self._written: dict[str, tuple[Status, float, float]] = {}
        self._ended: dict[str, Lease] = {}
        self._greeted: list[Socket] = []
        # Whose peers are still to be told how they are.
        self._introduced: set[str] = set()
        self._looked_at = 0.0

    def add(self, socket: Socket) -> None:
        """Begin a lease; the new client is told how its peers are."""
        self._sockets[socket.connection_id] = socket
        self._greeted.append(socket)
        self._looked_at = 0.0

    def introduce(self, socket: Socket) -> None:
        """Tell somebody who came into a conversation how the others are, and the others how they are."""
        self._greeted.append(socket)
        self._introduced.add(socket.user_id)
        self._looked_at = 0.0

    def remove(self, socket: Socket) -> None:
        """Let the lease run out after the offline delay."""
        if self._sockets.pop(socket.connection_id, None) is not None:
            status, *_ = self._written.pop(socket.connection_id, ("online", 0.0, 0.0))
            now = clock.now().timestamp()
            expires, active_at = now + settings.LIMITS.offline_after_seconds, _acted_at(socket, now)
            self._ended[socket.connection_id] = Lease(socket.user_id, socket.connection_id, status, expires, active_at)

    async def tick(self) -> None:
        """Write what is new, changed, ended or due for renewal; greet new clients."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS and not self._ended:
            return
        self._looked_at = now
        moment = clock.now().timestamp()
        idle, away = settings.LIMITS.idle_seconds, settings.LIMITS.away_seconds
        due: dict[str, tuple[Status, float, float]] = {}
        leases: list[Lease] = []
        for id, socket in self._sockets.items():
            status, written = _status(now - socket.active_at, idle, away), self._written.get(id)
            acted_at = socket.active_at if _has_acted(socket) else 0.0
            # Those who came, or fell silent, or were to be renewed together shall not stay together.
            if written is None or written[0] != status:
                due[id] = status, acted_at, now + random.uniform(0, RENEW_SECONDS)  # noqa: S311 - no secret
            elif written[2] <= now or acted_at - written[1] >= ACTIVE_SECONDS:
                due[id] = status, acted_at, now + random.uniform(0.75, 1) * RENEW_SECONDS  # noqa: S311 - no secret
            if id in due:
                leases.append(Lease(socket.user_id, id, status, moment + LEASE_SECONDS, _acted_at(socket, moment)))
        ended, self._ended = self._ended, {}
        try:
            self._introduced |= await in_database_thread(services.renew, [*leases, *ended.values()])
            self._written |= {id: written for id, written in due.items() if id in self._sockets}
        except redis.RedisError as error:
            self._ended = ended | self._ended
            log.warning("the presence store is away: %s", type(error).__name__)
            return
        introduced, self._introduced = self._introduced, set()
        greeted, self._greeted = self._greeted, []
        try:
            await self._tell(introduced, greeted)
        except (redis.RedisError, TryAgain) as error:
            self._introduced |= introduced
            self._greeted += [socket for socket in greeted if not socket.closing]
            log.warning("presence could not be told: %s", type(error).__name__)

    async def _tell(self, introduced: set[str], greeted: list[Socket]) -> None:
        """Tell peers how these people are, and new clients how their peers are; some at a time.

        After a restart everybody is new at once: told in one go, the event loop would stand still for seconds.
        """
        newcomers: dict[str, list[Socket]] = defaultdict(list)
        for socket in greeted:
            newcomers[socket.user_id].append(socket)
        people = list(introduced | newcomers.keys())
        for start in range(0, len(people), TOLD_AT_ONCE):
            some = set(people[start : start + TOLD_AT_ONCE])
            known = await in_database_thread(services.meet, introduced & some, newcomers.keys() & some)
            for user_id, texts in known.items():
                for socket in newcomers[user_id]:
                    for text in texts:
                        socket.outbox.deliver(WireFrame(text.encode()), droppable=True)


class Typists:
    """Who is typing through this process; a lease ends by itself."""

    def __init__(self) -> None:
        self._expires: dict[tuple[str, str], float] = {}
        # Who must not learn that somebody types, and until when that counts.
        self._apart: dict[tuple[str, str], tuple[list[str], float]] = {}

    async def set(self, socket: Socket, conversation_id: str, is_typing: bool) -> None:
        """Begin, renew or end a lease, and tell the members who are not kept apart from who types.

        :raises TryAgain: the database is away, so who that is cannot be asked.
        """
        key = (conversation_id, socket.user_id)
        if is_typing:
            lease = settings.LIMITS.typing_lease_seconds
            if key not in self._expires or self._apart[key][1] <= time.monotonic():
                apart = await in_database_thread(services.kept_from, socket.user_id, conversation_id)
                if conversation_id not in socket.topics:
                    return  # they left meanwhile
                self._apart[key] = apart, time.monotonic() + lease
            self._expires[key] = time.monotonic() + lease
        elif self._expires.pop(key, None) is None:
            return
        self._tell(key, is_typing, except_session=socket.session_id)

    def tick(self) -> None:
        """End the leases that ran out."""
        now = time.monotonic()
        for key in [key for key, expires in self._expires.items() if expires <= now]:
            del self._expires[key]
            self._tell(key, False)

    def _tell(self, key: tuple[str, str], is_typing: bool, except_session: str | None = None) -> None:
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
                    except_users=self._apart[key][0],
                )
            ]
        )
        if not is_typing:
            del self._apart[key]


connections = Connections()
typists = Typists()


async def typing(socket: Socket, command: frames.TypingCommand) -> None:
    """Pass it on to the members; answered only when it is refused."""
    socket.active_at = time.monotonic()
    conversation_id = str(command.conversation_id)
    if conversation_id not in socket.topics:
        raise NotFound("conversation")
    await typists.set(socket, conversation_id, command.is_typing)


async def presence_update(socket: Socket, command: frames.PresenceUpdate) -> None:
    """Remember how the person wants to be seen."""
    socket.active_at = time.monotonic()
    await in_database_thread(
        services.choose_status, user_id=socket.user_id, status=command.status, activity=command.activity
    )


def _acted_at(socket: Socket, moment: float) -> float:
    """Return when a socket's user last did something on it, given the present moment (Unix times).

    0: nothing yet. A client that connects by itself does not say that its user is there.
    """
    return moment - (time.monotonic() - socket.active_at) if _has_acted(socket) else 0


def _has_acted(socket: Socket) -> bool:
    return socket.active_at > socket.opened_at


def _status(quiet: float, idle: float, away: float) -> Status:
    if quiet >= away:
        return "away"
    return "idle" if quiet >= idle else "online"


def register() -> None:
    """Register with the ground floor; called once, when the apps are ready."""
    registry.register_command(frames.TypingCommand, typing)
    registry.register_command(frames.PresenceUpdate, presence_update)
    registry.register_frames(frames.Typing, frames.Presence)
    registry.signed_in_listeners.append(connections.add)
    registry.closed_listeners.append(connections.remove)
    registry.joined_listeners.append(connections.introduce)
    registry.ticks.append(connections.tick)
    registry.ticks.append(typists.tick)
