"""What is read of people and sessions, and who a credential belongs to."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from importlib import import_module
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.frames import MeBody, SessionBody, UserBody
from accounts.models import DeviceSession, User, token_hash
from realtime.errors import NotFound
from realtime.rows import as_uuid, ids, ids_in

# Where Django's browser session keeps the id of the device session.
SESSION_KEY = "device_session_id"
USE_NOTED_EVERY = datetime.timedelta(minutes=5)
SEARCH_RESULTS = 20


def session_of_token(token: str) -> DeviceSession | None:
    """Return the living session of a bearer token, with its user."""
    [session] = sessions_of_tokens([token])
    return session


def sessions_of_tokens(tokens: Sequence[str]) -> list[DeviceSession | None]:
    """Return the living session of each bearer token, with its user."""
    hashes = [token_hash(token) for token in tokens]
    living = {
        bytes(session.token_hash or b""): session
        for session in _living(DeviceSession.objects.filter(token_hash__in=hashes))
    }
    return [living.get(each) for each in hashes]


def session_of_id(session_id: str | None) -> DeviceSession | None:
    """Return the living session with this id, with its user; there is none whose id is None."""
    if session_id is None:
        return None
    return next(iter(_living(DeviceSession.objects.filter(id=session_id))), None)


def session_of_cookie(cookie: str) -> DeviceSession | None:
    """Return the living session that the value of a session cookie names."""
    return session_of_id(import_module(settings.SESSION_ENGINE).SessionStore(cookie).get(SESSION_KEY))


def ended_sessions(session_ids: Collection[str]) -> set[str]:
    """Return those of the ids whose session no longer lives. Asked of every socket every few seconds: reads little."""
    sessions, users = DeviceSession._meta.db_table, User._meta.db_table
    living, user = set(), User()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.id, s.password_fingerprint, u.password FROM {sessions} AS s "  # noqa: S608 - names only
            f"JOIN {users} AS u ON u.id = s.user_id WHERE {ids_in('s.id')} AND s.revoked_at IS NULL AND u.is_active",
            [ids(map(UUID, session_ids))],
        )
        for session_id, fingerprint, user.password in cursor:
            if fingerprint == user.get_session_auth_hash():
                living.add(str(as_uuid(session_id)))
    return set(session_ids) - living


def sessions_of(user: User, *, current: UUID | None) -> list[SessionBody]:
    """Return the living sessions of a user, newest first."""
    sessions = user.device_sessions.filter(revoked_at=None, password_fingerprint=user.get_session_auth_hash()).order_by(
        "-created_at", "-id"
    )
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


def user_by_id(user_id: UUID) -> User:
    """Return an active person.

    :raises NotFound: nobody, or nobody active.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise NotFound("user")
    return user


def active_users(user_ids: Iterable[UUID]) -> list[User]:
    """Return those of the ids who are active people."""
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


def _is_living(session: DeviceSession) -> bool:
    return (
        session.revoked_at is None
        and session.user.is_active
        and session.password_fingerprint == session.user.get_session_auth_hash()
    )


def _living(sessions: QuerySet[DeviceSession]) -> list[DeviceSession]:
    """Return those that live, with their users, and note their use."""
    now = timezone.now()
    living = [session for session in sessions.select_related("user") if _is_living(session)]
    in_use = [session.id for session in living if now - session.last_used_at > USE_NOTED_EVERY]
    if in_use:  # every request comes here: mostly there is nothing to note, and to find that out has its price
        DeviceSession.objects.filter(id__in=in_use).update(last_used_at=now)
    return living
