"""Sign-in: from an upgrade to an identity, by header, by cookie, or by the first frame."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Mapping

from django.conf import settings

from realtime.database.lanes import Lanes
from realtime.database.threads import in_database_thread, submit_read
from realtime.registry import Identity, registry
from realtime.socket.commands import ids_of
from realtime.socket.connection import Refused, WebSocketConnection
from realtime.socket.origin import origin_is_allowed
from realtime.socket.rate import Buckets
from realtime.wire import bodies
from realtime.wire.close_codes import CloseCode
from realtime.wire.errors import DomainError, TryAgain
from realtime.wire.frames import Auth
from realtime.wire.network import network_of

# Close codes of connections whose frames were invalid or too many. A client that closes with one of them counts, too.
OFFENCES = frozenset(
    {
        CloseCode.PROTOCOL_ERROR,
        CloseCode.UNSUPPORTED_DATA,
        CloseCode.INVALID_TEXT,
        CloseCode.TOO_BIG,
        CloseCode.BAD_FRAMES,
        CloseCode.TOO_FAST,
    }
)
_unsigned: Counter[str] = Counter()
_attempts = Buckets()
# When many clients reconnect at once, one statement looks up several tokens. At most 8: all of a batch go on in one
# turn of the event loop.
_tokens: Lanes[str, Identity | None] = Lanes(
    lambda tokens: registry.authenticator.by_tokens(tokens), count=1, most=8, submit=submit_read
)


def seconds_until_allowed(headers: Mapping[bytes, bytes]) -> float:
    """Return the seconds that the device behind an upgrade must wait because it tried too often; mostly 0.

    This does not count as an attempt. The server asks before it accepts an upgrade, and so saves the rest of the work.
    """
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    credential = _token(bearer) if bearer else _session_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    return _attempts.wait(_key(credential)) if credential else 0.0


def charge_offence(connection: WebSocketConnection, code: int) -> None:
    """Count a connection that ended with an offence as several attempts, so that its device cannot return at once."""
    if code in OFFENCES and connection.counted_as is not None:
        _attempts.charge(connection.counted_as, settings.LIMITS.connects_per_offence - 1)


async def identify(connection: WebSocketConnection) -> Identity:
    """Accept the upgrade and identify the client, by header, cookie or first frame.

    :raises DomainError: the upgrade is refused.
    :raises Refused: the upgrade was accepted, but the client is not signed in.
    :raises Gone: the client left.
    """
    bearer = connection.header(b"authorization")
    cookie = _session_cookie(connection.header(b"cookie"))
    if bearer:
        token = _token(bearer)
        if token:
            _count(connection, token)
        await connection.accept()
        identity = await _identified(_tokens.run(token, token)) if token else None
    elif cookie:
        if not origin_is_allowed(connection.header(b"origin"), connection.header(b"host")):
            raise DomainError("forbidden", "This Origin is not allowed.")
        _count(connection, cookie)
        await connection.accept()
        identity = await _identified(in_database_thread(registry.authenticator.by_cookie, cookie))
    else:
        return await _by_first_frame(connection)
    if identity is None:
        raise Refused(CloseCode.NOT_SIGNED_IN, DomainError("unauthenticated", "The credential is not valid."))
    return identity


async def _by_first_frame(connection: WebSocketConnection) -> Identity:
    network = network_of(connection.address())
    if _unsigned[network] >= settings.LIMITS.unsigned_sockets_per_address:
        raise DomainError("rate_limited", "Too many sockets of this network address have not signed in.")
    _unsigned[network] += 1
    try:
        await connection.accept()
        async with asyncio.timeout(settings.LIMITS.auth_seconds):
            text = await connection.next_text()
        connection.auth_id = ids_of(text)["id"]
        frame = bodies.decode(text, Auth)
    except TimeoutError as error:
        raise Refused(CloseCode.NOT_SIGNED_IN) from error
    except DomainError as error:
        why = DomainError("unauthenticated", "The first frame must be auth.")
        raise Refused(CloseCode.NOT_SIGNED_IN, why) from error
    finally:
        _unsigned[network] -= 1
        if not _unsigned[network]:
            del _unsigned[network]
    try:
        _count(connection, frame.token)
    except DomainError as error:
        raise Refused(CloseCode.TOO_FAST, error) from error
    identity = await _identified(_tokens.run(frame.token, frame.token))
    if identity is None:
        raise Refused(CloseCode.NOT_SIGNED_IN, DomainError("unauthenticated", "The token is not valid."))
    return identity


def _token(header: str) -> str:
    """Return the bearer token of an Authorization header; empty when there is none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _session_cookie(header: str) -> str:
    """Return the value of the session cookie; empty when there is none.

    Cookies of other applications do not hide it, whatever their names. They are not parsed, because to unquote one may
    take long; the session cookie is never quoted.
    """
    found = ""
    for cookie in header.split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == settings.SESSION_COOKIE_NAME:
            found = value.strip()
    return found


def _count(connection: WebSocketConnection, credential: str) -> None:
    """Count an attempt to sign in, before the look-up of its credential.

    :raises DomainError: there were too many attempts with this credential.
    """
    limits = settings.LIMITS
    connection.counted_as = key = _key(credential)
    if wait := _attempts.take(key, rate=limits.connects_per_minute / 60, burst=limits.connects_burst):
        raise DomainError("rate_limited", "This device connects too often.", retry_after=wait)


def _key(credential: str) -> str:
    """Return the key under which attempts are counted: a hash, which is short and cannot be used to sign in."""
    return hashlib.sha256(credential.encode()).hexdigest()


async def _identified(look_up: Awaitable[Identity | None]) -> Identity | None:
    try:
        return await look_up
    except TryAgain as error:
        raise Refused(CloseCode.RESTART, error) from error
