"""Changes people and their sessions: sign-up, sign-in, revocation, profile, blocks."""

import datetime
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts import selectors
from accounts.errors import WrongCredentials
from accounts.models import DISPLAY_NAME_LENGTH, Block, DeviceSession, User, password_forms, token_hash
from accounts.signals import blocks_changed
from accounts.store import Attempt, count_attempt
from realtime.fanout.door import announce
from realtime.wire.announcements import CloseSockets
from realtime.wire.close_codes import CloseCode
from realtime.wire.errors import DomainError, Forbidden, Invalid, NotFound
from realtime.wire.network import network_of
from realtime.wire.text import checked_name

HOUR = 3600
USE_RECORDED_EVERY = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session; `token` is None for a cookie session."""

    session: DeviceSession
    token: str | None


def register_user(*, username: str, password: str, address: str, email: str = "", display_name: str = "") -> User:
    """Create a person.

    :raises Forbidden: sign-up is closed.
    :raises Invalid: the username is reserved, the password is weak, the e-mail address or the name is not valid.
    :raises DomainError: `conflict` when the username or the e-mail address is taken.
    :raises TooManyAttempts: too many sign-ups from the network address.
    """
    if not settings.SIGN_UP_ENABLED:
        raise Forbidden("Sign-up is closed on this server.")
    most = settings.LIMITS.registrations_per_address_per_hour
    count_attempt(
        "register", network_of(address), most=most, window_seconds=HOUR, name="sign-ups from this network address"
    )
    if username.lower() in settings.RESERVED_USERNAMES:
        raise Invalid(username="is reserved")
    user = User(username=username, email=_checked_email(email), display_name=checked_display_name(display_name))
    try:
        validate_password(password_forms(password)[0], user)
    except ValidationError as error:
        raise Invalid(password=" ".join(error.messages)) from error
    user.set_password(password)
    _save_with_unique_names(user)
    return user


def sign_in(*, username: str, password: str, address: str, device_id: str = "") -> User:
    """Check a username and a password; failed attempts are counted (`count_sign_in`).

    :raises WrongCredentials: username or password is wrong, or the person is deactivated. The error does not say
        which, and takes the same time.
    :raises TooManyAttempts: as `count_sign_in`.
    """
    username = username.strip()
    attempts = count_sign_in(username=username, address=address, device_id=device_id)
    user = User.objects.named(username)
    if user is None:
        for form in password_forms(password):
            make_password(form)  # as slow as the check, so that the time does not show whether the name exists
        raise WrongCredentials
    if not user.check_password(password) or not user.is_active:
        raise WrongCredentials
    for attempt in attempts:
        attempt.take_back()
    return user


def count_sign_in(*, username: str, address: str, device_id: str = "") -> list[Attempt]:
    """Count an attempt to sign in by any way, before the password is checked; a success takes it back.

    Counted after the check, attempts at the same moment would not see each other. Attempts of strangers never lock
    out a person's own devices: an attempt from a device that has signed in to the account before (`device_id`) is
    counted for this device only. All others are counted for the account and their network, and for the account.

    :raises TooManyAttempts: too many failed for this account, or from this network.
    :raises TryAgain: the counters are away.
    """
    limits, network, account = settings.LIMITS, network_of(address), username.lower()
    counted = [("login-network", network, limits.logins_per_address, "failed sign-ins from this network address")]
    here, everywhere = limits.logins_per_account, limits.logins_per_account_everywhere
    name = "failed sign-ins to this account"
    if device_id and selectors.has_signed_in(username, device_id):
        counted.append(("login-device", f"{account} {device_id}", here, name))
    else:
        counted.append(("login-account-from", f"{account} {network}", here, name))
        counted.append(("login-account", account, everywhere, name))
    window = limits.login_window_seconds
    return [
        count_attempt(purpose, subject, most=most, window_seconds=window, name=name)
        for purpose, subject, most, name in counted
    ]


def open_session(*, user: User, device_id: str = "", device_name: str = "", with_token: bool = True) -> OpenedSession:
    """Open a device session. Only a hash of the returned token is stored."""
    token = secrets.token_urlsafe(32) if with_token else None
    session = DeviceSession.objects.create(
        user=user,
        token_hash=token_hash(token) if token is not None else None,
        password_fingerprint=user.get_session_auth_hash(),
        device_id=device_id,
        device_name=device_name,
    )
    return OpenedSession(session, token)


def recognise_token(token: str) -> DeviceSession | None:
    """Return the valid session of a bearer token, with its user, and record its use."""
    return _in_use(selectors.session_of_token(token))


def recognise_tokens(tokens: Sequence[str]) -> list[selectors.ValidSession | None]:
    """Return the valid session of each bearer token, in order, and record their use."""
    found = selectors.valid_by_tokens(tokens)
    _record_use((each.session_id, each.last_used_at) for each in found if each is not None)
    return found


def recognise_session(session_id: str | None) -> DeviceSession | None:
    """Return the valid session with this id, with its user, and record its use; None for an id of None."""
    return _in_use(selectors.session_of_id(session_id))


def recognise_cookie(cookie: str) -> DeviceSession | None:
    """Return the valid session for the value of a session cookie, and record its use."""
    return _in_use(selectors.session_of_cookie(cookie))


def _in_use(session: DeviceSession | None) -> DeviceSession | None:
    if session is not None:
        _record_use([(session.id, session.last_used_at)])
    return session


def _record_use(sessions: Iterable[tuple[UUID, datetime.datetime]]) -> None:
    """Record that these sessions are used, given their ids and when each use was last recorded."""
    now = timezone.now()
    due = [id for id, last_used_at in sessions if now - last_used_at > USE_RECORDED_EVERY]
    if due:  # every request comes here; without a due session there is no statement
        DeviceSession.objects.filter(id__in=due).update(last_used_at=now)


def revoke_session(*, user_id: UUID, session_id: UUID) -> None:
    """End one session of a user and close its sockets. The sockets are closed even if it has ended already.

    :raises NotFound: the user has no such session.
    """
    with transaction.atomic():
        session = DeviceSession.objects.select_for_update().filter(id=session_id, user_id=user_id).first()
        if session is None:
            raise NotFound("session")
        if session.revoked_at is None:
            session.revoked_at = timezone.now()
            session.save(update_fields=["revoked_at"])
        announce([CloseSockets(CloseCode.REVOKED, session_id=str(session_id), user_id=str(user_id))])


def revoke_all_sessions(*, user_id: UUID) -> int:
    """End every session of a user and close its sockets; return how many sessions."""
    with transaction.atomic():
        living = DeviceSession.objects.select_for_update().filter(user_id=user_id, revoked_at=None)
        ids = list(living.values_list("id", flat=True))
        DeviceSession.objects.filter(id__in=ids).update(revoked_at=timezone.now())
        # One announcement for each session: a late one must not end a session that was opened since.
        announce([CloseSockets(CloseCode.REVOKED, session_id=str(id), user_id=str(user_id)) for id in ids])
    return len(ids)


def deactivate_user(*, user_id: UUID) -> None:
    """Deactivate a person: all sessions end, their sockets close, and they cannot sign in."""
    with transaction.atomic():
        User.objects.filter(id=user_id).update(is_active=False)
        revoke_all_sessions(user_id=user_id)


def reactivate_user(*, user_id: UUID) -> None:
    """Let a person sign in again; earlier sessions stay ended.

    All of them: also one of a sign-in that was under way while the person was deactivated.
    """
    with transaction.atomic():
        revoke_all_sessions(user_id=user_id)
        User.objects.filter(id=user_id).update(is_active=True)


def update_profile(*, user: User, changes: dict[str, str]) -> User:
    """Change fields of one's own profile.

    :raises Invalid: the e-mail address is none, or the name is not valid.
    :raises DomainError: conflict when the e-mail address is taken.
    :raises TooManyAttempts: too many changes; limited, because a conflict shows that the address has an account.
    """
    if "email" in changes:
        most = settings.LIMITS.email_changes_per_account_per_hour
        count_attempt(
            "email", str(user.pk), most=most, window_seconds=HOUR, name="changes of the e-mail address of this account"
        )
        changes = changes | {"email": _checked_email(changes["email"])}
    if "display_name" in changes:
        changes = changes | {"display_name": checked_display_name(changes["display_name"])}
    for name, value in changes.items():
        setattr(user, name, value.strip())
    # Only these: other fields of `user` may be older than the row.
    _save_with_unique_names(user, fields=list(changes))
    return user


def checked_display_name(name: str) -> str:
    """Return a display name as it is stored.

    :raises Invalid: as `checked_name`.
    """
    return checked_name(name, field="display_name", most=DISPLAY_NAME_LENGTH)


def block_user(*, user_id: UUID, other_id: UUID) -> bool:
    """Block a person; return False if they were blocked already.

    :raises Invalid: oneself.
    :raises NotFound: nobody.
    :raises DomainError: conflict, when they block as many as they may.
    """
    if other_id == user_id:
        raise Invalid(user_id="nobody blocks themselves")
    most = settings.LIMITS.blocks_per_person
    with transaction.atomic():
        if other_id not in lock_people([user_id, other_id]):
            raise NotFound("user")
        mine = Block.objects.filter(blocker_id=user_id)
        if mine.count() >= most and not mine.filter(blocked_id=other_id).exists():
            raise DomainError("conflict", f"Nobody blocks more than {most} people.")
        _, is_new = Block.objects.get_or_create(blocker_id=user_id, blocked_id=other_id)
        if is_new:
            blocks_changed.send(sender=Block, blocker_id=user_id, blocked_id=other_id)
    return is_new


def unblock_user(*, user_id: UUID, other_id: UUID) -> None:
    """Remove a block, if there is one."""
    with transaction.atomic():
        lock_people([user_id, other_id])
        count, _ = Block.objects.filter(blocker_id=user_id, blocked_id=other_id).delete()
        if count:
            blocks_changed.send(sender=Block, blocker_id=user_id, blocked_id=other_id)


def lock_people(user_ids: Collection[UUID]) -> set[UUID]:
    """Lock people's rows, in the order of their ids, until the transaction ends; return the ids that exist.

    So a new direct conversation and a block between two people wait for each other. Take this lock before that of a
    conversation.
    """
    rows = User.objects.select_for_update(no_key=True).filter(id__in=user_ids).order_by("id")
    return set(rows.values_list("id", flat=True))


def purge_ended_sessions(*, older_than: datetime.timedelta) -> int:
    """Delete sessions that were revoked, or whose cookie expired, longer ago than `older_than`; return how many."""
    before = timezone.now() - older_than
    count, _ = DeviceSession.objects.filter(Q(revoked_at__lt=before) | selectors.ran_out_by(before)).delete()
    return count


def _checked_email(email: str) -> str:
    email = email.strip()
    if email:
        try:
            validate_email(email)
        except ValidationError as error:
            raise Invalid(email=" ".join(error.messages)) from error
    return email


def _save_with_unique_names(user: User, *, fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            user.save(update_fields=fields)
    except IntegrityError as error:
        # The first line names the constraint; the rest may quote the values.
        field = "email" if "email" in str(error).splitlines()[0] else "username"
        raise DomainError("conflict", f"This {field} is taken.", fields={field: "taken"}) from error
