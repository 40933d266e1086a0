"""Reads people and sessions, and finds the session of a credential."""

import datetime
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.frames import MeBody, SessionBody, UserBody
from accounts.models import Block, DeviceSession, User, token_hash
from realtime.database.rows import Columns, as_moment, as_uuid, ids, ids_in, one_id, one_moment
from realtime.wire.errors import NotFound

# The key under which Django's browser session has the id of the device session.
SESSION_KEY = "device_session_id"
SEARCH_RESULTS = 20
# The condition that a session s of a person u is valid, except for a change of password (`is_opened_with`), given
# `oldest_cookie`: a browser's session ends with its cookie.
NOT_ENDED = "s.revoked_at IS NULL AND u.is_active AND (s.token_hash IS NOT NULL OR s.created_at > %s)"
_SESSIONS, _USERS = Columns.of_all(DeviceSession), Columns.of_all(User)


def session_of_token(token: str) -> DeviceSession | None:
    """Return the valid session of a bearer token, with its user."""
    return _valid("s.token_hash = %s", token_hash(token))


class ValidSession(NamedTuple):
    """The columns of a valid session that a socket needs."""

    user_id: UUID
    session_id: UUID
    last_used_at: datetime.datetime


def valid_by_tokens(tokens: Sequence[str]) -> list[ValidSession | None]:
    """Return the valid session of each bearer token, in order; None where there is none.

    For sockets, thousands of which may connect at once.
    """
    hashes = [token_hash(token) for token in tokens]
    living: dict[bytes, ValidSession] = {}
    columns, among = "s.token_hash, s.user_id, s.id, s.last_used_at", ", ".join(["%s"] * len(hashes))
    for hash, user_id, session_id, last_used_at in _valid_rows(columns, f"s.token_hash IN ({among})", hashes):
        living[bytes(hash)] = ValidSession(as_uuid(user_id), as_uuid(session_id), as_moment(last_used_at))
    return [living.get(hash) for hash in hashes]


def session_of_id(session_id: str | None) -> DeviceSession | None:
    """Return the valid session with this id, with its user; None for an id of None."""
    if session_id is None:
        return None
    return _valid("s.id = %s", one_id(UUID(session_id)))


def session_of_cookie(cookie: str) -> DeviceSession | None:
    """Return the valid session for the value of a session cookie."""
    return session_of_id(import_module(settings.SESSION_ENGINE).SessionStore(cookie).get(SESSION_KEY))


def ended_sessions(session_ids: Collection[str]) -> set[str]:
    """Return the ids whose session has ended. It is called for every socket every few seconds, so it reads little."""
    rows = _valid_rows("s.id", ids_in("s.id"), [ids(map(UUID, session_ids))])
    return set(session_ids) - {str(as_uuid(session_id)) for (session_id,) in rows}


def oldest_cookie() -> Any:
    """Return the time before which all cookies have expired, as a parameter of a statement (`NOT_ENDED`)."""
    return one_moment(_cookies_of(timezone.now()))


def is_opened_with(password: str, fingerprint: str) -> bool:
    """Return whether a session with this fingerprint was opened with its user's current password hash."""
    return bool(fingerprint == User(password=password).get_session_auth_hash())


def has_signed_in(username: str, device_id: str) -> bool:
    """Return whether the device has signed in to the account before; ended sessions count until they are purged."""
    sessions = DeviceSession.objects.filter(device_id=device_id).alias(lowered=Lower("user__username"))
    return sessions.filter(lowered=username.lower()).exists()


def sessions_of(user: User, *, current: UUID | None) -> list[SessionBody]:
    """Return the valid sessions of a user, newest first; `current` is the session that asks."""
    living = user.device_sessions.filter(revoked_at=None, password_fingerprint=user.get_session_auth_hash())
    sessions = living.exclude(ran_out_by(timezone.now())).order_by("-created_at", "-id")
    return [
        SessionBody(
            id=session.id,
            device_id=session.device_id,
            device_name=session.device_name,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            current=session.id == current,
        )
        for session in sessions
    ]


def ran_out_by(moment: datetime.datetime) -> Q:
    """Return the condition of sessions whose cookie had expired at a time; a bearer token never expires."""
    return Q(token_hash=None, created_at__lte=_cookies_of(moment))


def user_by_id(user_id: UUID) -> User:
    """Return an active person.

    :raises NotFound: there is no active person with this id.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise NotFound("user")
    return user


def active_users(user_ids: Iterable[UUID]) -> list[User]:
    """Return the active people among these ids."""
    return list(User.objects.filter(id__in=list(user_ids), is_active=True))


def found_users(q: str, *, viewer: User) -> list[UserBody]:
    """Return people whose username or display name contains the text, best match first; never the viewer."""
    q = q.strip()
    matches = User.objects.filter(Q(username__icontains=q) | Q(display_name__icontains=q), is_active=True)
    users = sorted(
        matches.exclude(id=viewer.id).order_by("username")[: SEARCH_RESULTS * 5],
        key=lambda user: not user.username.lower().startswith(q.lower()),
    )
    return [user_body(user) for user in users[:SEARCH_RESULTS]]


def blocked_users(user_id: UUID) -> list[UserBody]:
    """Return the people whom a person blocks, newest first."""
    blocks = Block.objects.filter(blocker_id=user_id).select_related("blocked").order_by("-created_at", "-id")
    return [user_body(block.blocked) for block in blocks]


def is_blocked_pair(user_id: UUID, other_id: UUID) -> bool:
    """Return whether one of two people blocks the other."""
    one, other = Q(blocker_id=user_id, blocked_id=other_id), Q(blocker_id=other_id, blocked_id=user_id)
    return Block.objects.filter(one | other).exists()


def is_blocked_pair_in(one: str, other: str) -> str:
    """Return SQL for statements of other apps: whether one of two people blocks the other, given their ids as SQL."""
    table = Block._meta.db_table
    return (
        f"(EXISTS (SELECT 1 FROM {table} WHERE blocker_id = {one} AND blocked_id = {other})"  # noqa: S608 - names only
        f" OR EXISTS (SELECT 1 FROM {table} WHERE blocker_id = {other} AND blocked_id = {one}))"
    )


def blocked_pairs(user_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Return for each person the people whom they block or who block them."""
    pairs: dict[UUID, set[UUID]] = {user_id: set() for user_id in user_ids}
    blocks = Block.objects.filter(Q(blocker_id__in=pairs) | Q(blocked_id__in=pairs)).order_by()
    for one, other in blocks.values_list("blocker_id", "blocked_id"):
        for user_id, other_id in ((one, other), (other, one)):
            if user_id in pairs:
                pairs[user_id].add(other_id)
    return pairs


def user_body(user: User) -> UserBody:
    """Return a person as others see them."""
    return UserBody(
        id=user.id,
        username=user.username,
        display_name=user.shown_name,
        about=user.about,
        avatar_url=user.avatar_url,
    )


def me_body(user: User) -> MeBody:
    """Return a person as they see themselves."""
    return MeBody(
        id=user.id,
        username=user.username,
        display_name=user.shown_name,
        about=user.about,
        avatar_url=user.avatar_url,
        email=user.email,
    )


def _valid(condition: str, parameter: Any) -> DeviceSession | None:
    """Return the valid session s that meets the condition, with its user.

    Every request calls this. The ORM would take longer to build the statement than everything else here takes.
    """
    text = f"SELECT {_SESSIONS.of('s')}, {_USERS.of('u')} {_not_ended(condition)}"
    for session_values, user_values in _SESSIONS.fetch_with(_USERS, text, [parameter, oldest_cookie()]):
        session, user = _SESSIONS.instance(session_values), _USERS.instance(user_values)
        if session.password_fingerprint == user.get_session_auth_hash():
            session.user = user
            return session
    return None


def _valid_rows(columns: str, condition: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield columns of the valid sessions s that meet the condition; model instances take several times as long."""
    user, text = User(), f"SELECT u.password, s.password_fingerprint, {columns} {_not_ended(condition)}"
    with connection.cursor() as cursor:
        cursor.execute(text, [*parameters, oldest_cookie()])
        for user.password, fingerprint, *row in cursor:
            if fingerprint == user.get_session_auth_hash():
                yield tuple(row)


def _not_ended(condition: str) -> str:
    """Return FROM and WHERE for valid sessions s and people u; parameters: the condition's, then `oldest_cookie`."""
    return (
        f"FROM {DeviceSession._meta.db_table} AS s JOIN {User._meta.db_table} AS u ON u.id = s.user_id "
        f"WHERE {condition} AND {NOT_ENDED}"
    )


def _cookies_of(moment: datetime.datetime) -> datetime.datetime:
    """Return when cookies that expire at a moment were issued. Their lifetime is fixed; use does not extend it."""
    return moment - datetime.timedelta(seconds=settings.SESSION_COOKIE_AGE)
