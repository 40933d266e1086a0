"""From an upgrade to an identity: by header, by cookie, or by the first frame."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Mapping

from django.conf import settings

from realtime import registry
from realtime.database.lanes import Lanes
from realtime.database.threads import in_database_thread, submit_read
from realtime.fanout import sockets
from realtime.registry import Identity
from realtime.socket.commands import ids_of
from realtime.socket.connection import Connection, Refused
from realtime.socket.origin import origin_is_allowed
from realtime.socket.rate import Buckets
from realtime.wire import bodies
from realtime.wire.errors import DomainError, TryAgain
from realtime.wire.frames import Auth

# How a connection ends that sent what no client of ours sends; whoever closes with one of these says so of itself.
OFFENCES = frozenset(
    {
        sockets.PROTOCOL_ERROR,
        sockets.UNSUPPORTED_DATA,
        sockets.INVALID_TEXT,
        sockets.TOO_BIG,
        sockets.BAD_FRAMES,
        sockets.TOO_FAST,
    }
)
_unsigned: Counter[str] = Counter()
_attempts = Buckets()
# When a herd comes back, one statement looks up several tokens: few, for all of them go on in one turn of the loop.
_tokens: Lanes[str, Identity | None] = Lanes(
    lambda tokens: registry.authenticator().by_tokens(tokens), count=1, most=8, submit=submit_read
)


def seconds_until_allowed(headers: Mapping[bytes, bytes]) -> float:
    """Return how long the device behind an upgrade must wait, having tried too often; mostly 0.

    This counts nothing. A server that asks before it lets an upgrade in spares itself the rest of the work.
    """
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    credential = _token(bearer) if bearer else _session_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    return _attempts.wait(_key(credential)) if credential else 0.0


def note_end(connection: Connection, code: int) -> None:
    """Count a connection that ended for its frames as many: who is cut off for that must not come again at once."""
    if code in OFFENCES and connection.counted_as is not None:
        _attempts.charge(connection.counted_as, settings.LIMITS.connects_per_offence - 1)


async def identify(connection: Connection) -> Identity:
    """Accept the upgrade and find out who asks, by header, cookie or first frame.

    :raises DomainError: the upgrade itself is refused.
    :raises Refused: accepted, but nobody signed in.
    """
    bearer = connection.header(b"authorization")
    cookie = _session_cookie(connection.header(b"cookie"))
    if bearer:
        token = _token(bearer)
        if token:
            _count(connection, token)
        await connection.accept()
        identity = await _recognised(_tokens.run(token, token)) if token else None
    elif cookie:
        if not origin_is_allowed(connection.header(b"origin"), connection.header(b"host")):
            raise DomainError("forbidden", "This Origin is not allowed.")
        _count(connection, cookie)
        await connection.accept()
        identity = await _recognised(in_database_thread(registry.authenticator().by_cookie, cookie))
    else:
        return await _by_first_frame(connection)
    if identity is None:
        raise Refused(sockets.NOT_SIGNED_IN, DomainError("unauthenticated", "The credential is not valid."))
    return identity


async def _by_first_frame(connection: Connection) -> Identity:
    address = connection.address()
    if _unsigned[address] >= settings.LIMITS.unsigned_sockets_per_address:
        raise DomainError("rate_limited", "Too many sockets of this address have not signed in.")
    _unsigned[address] += 1
    try:
        await connection.accept()
        async with asyncio.timeout(settings.LIMITS.auth_seconds):
            text = await connection.next_text()
        connection.auth_id = ids_of(text)["id"]
        frame = bodies.decode(text, Auth)
    except TimeoutError as error:
        raise Refused(sockets.NOT_SIGNED_IN) from error
    except DomainError as error:
        why = DomainError("unauthenticated", "The first frame must be auth.")
        raise Refused(sockets.NOT_SIGNED_IN, why) from error
    finally:
        _unsigned[address] -= 1
        if not _unsigned[address]:
            del _unsigned[address]
    try:
        _count(connection, frame.token)
    except DomainError as error:
        raise Refused(sockets.TOO_FAST, error) from error
    identity = await _recognised(_tokens.run(frame.token, frame.token))
    if identity is None:
        raise Refused(sockets.NOT_SIGNED_IN, DomainError("unauthenticated", "The token is not valid."))
    return identity


def _token(header: str) -> str:
    """Return the bearer token of an Authorization header, or nothing."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _session_cookie(header: str) -> str:
    """Return the value of our session cookie, or nothing.

    Cookies of other applications, whatever their names, do not hide ours, and are not looked into: to unquote one may
    take long. Ours is never quoted.
    """
    found = ""
    for cookie in header.split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == settings.SESSION_COOKIE_NAME:
            found = value.strip()
    return found


def _count(connection: Connection, credential: str) -> None:
    """Count an attempt to sign in, before it costs anything.

    :raises DomainError: there were too many by this credential.
    """
    limits = settings.LIMITS
    connection.counted_as = key = _key(credential)
    if wait := _attempts.take(key, rate=limits.connects_per_minute / 60, burst=limits.connects_burst):
        raise DomainError("rate_limited", "This device connects too often.", retry_after=wait)


def _key(credential: str) -> str:
    """Return what is kept of a credential: it is short, and nobody's key."""
    return hashlib.sha256(credential.encode()).hexdigest()


async def _recognised(look_up: Awaitable[Identity | None]) -> Identity | None:
    try:
        return await look_up
    except TryAgain as error:
        raise Refused(sockets.RESTART, error) from error
