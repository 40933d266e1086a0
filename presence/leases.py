"""The connections of this process as leases, renewed in one batch per tick."""

import logging
import random
import time
from collections import defaultdict

import redis
from django.conf import settings

from presence import services
from presence.store import Lease, Status
from realtime.database import clock
from realtime.database.threads import in_database_thread
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.errors import TryAgain
from realtime.wire.wire_frame import WireFrame

log = logging.getLogger("chatsite.presence")

# A lease outlives two renewals that fail.
LEASE_SECONDS = 60.0
RENEW_SECONDS = 20.0
LOOK_SECONDS = 2.0
# Becoming active is written at the next look; staying active is written again after this time.
ACTIVE_SECONDS = 10.0
PEOPLE_PER_BATCH = 50


class ConnectionLeases:
    """Keeps a lease in the store for each connection of this process."""

    def __init__(self) -> None:
        self._sockets: dict[str, Socket] = {}
        # What the store has of each connection: status, time of the user's last activity, time of the next renewal.
        self._written: dict[str, tuple[Status, float, float]] = {}
        self._ended: dict[str, Lease] = {}
        # Sockets that have yet to be sent the presence of their peers.
        self._greeted: list[Socket] = []
        # People whose presence is still to be sent to their peers.
        self._introduced: set[str] = set()
        self._looked_at = 0.0

    def add(self, socket: Socket) -> None:
        """Begin a lease; the new client is sent the presence of its peers."""
        self._sockets[socket.connection_id] = socket
        self._greeted.append(socket)
        self._looked_at = 0.0

    def introduce(self, socket: Socket) -> None:
        """Send the presence of the others to somebody who joined a conversation, and theirs to the others."""
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
            # Connections that came, fell silent or were due together must not stay together: spread their renewals.
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
            await self._send_presence(introduced, greeted)
        except (redis.RedisError, TryAgain) as error:
            self._introduced |= introduced
            self._greeted += [socket for socket in greeted if not socket.closing]
            log.warning("presence could not be sent: %s", type(error).__name__)

    async def _send_presence(self, introduced: set[str], greeted: list[Socket]) -> None:
        """Send the presence of the introduced to their peers, and that of their peers to the greeted, in batches.

        After a restart everybody is new at once: in one batch, the event loop would stand still for seconds.
        """
        newcomers: dict[str, list[Socket]] = defaultdict(list)
        for socket in greeted:
            newcomers[socket.user_id].append(socket)
        people = list(introduced | newcomers.keys())
        for start in range(0, len(people), PEOPLE_PER_BATCH):
            some = set(people[start : start + PEOPLE_PER_BATCH])
            known = await in_database_thread(services.meet, introduced & some, newcomers.keys() & some)
            for user_id, texts in known.items():
                for socket in newcomers[user_id]:
                    for text in texts:
                        socket.outbox.deliver(WireFrame(text.encode()), droppable=True)


def _acted_at(socket: Socket, moment: float) -> float:
    """Return the Unix time at which a socket's user last did something on it, given the present Unix time.

    0: nothing yet. A client that connects by itself does not show that its user is there.
    """
    return moment - (time.monotonic() - socket.active_at) if _has_acted(socket) else 0


def _has_acted(socket: Socket) -> bool:
    return socket.active_at > socket.opened_at


def _status(quiet: float, idle: float, away: float) -> Status:
    if quiet >= away:
        return "away"
    return "idle" if quiet >= idle else "online"


connection_leases = ConnectionLeases()
registry.on_signed_in(connection_leases.add)
registry.on_closed(connection_leases.remove)
registry.on_joined(connection_leases.introduce)
registry.on_tick(connection_leases.tick)
