"""Bodies of requests and answers about people and sessions."""

from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from accounts.models import USERNAME_PATTERN
from realtime.wire.bodies import Body, Id, Request, Time

# No text may contain NUL: PostgreSQL cannot store it.
NO_NUL = r"^[^\x00]*$"
Username = Annotated[str, Meta(pattern=USERNAME_PATTERN)]
Password = Annotated[str, Meta(min_length=1, max_length=256, pattern=NO_NUL)]
DisplayName = Annotated[str, Meta(max_length=64, pattern=NO_NUL)]
DeviceName = Annotated[str, Meta(max_length=200, pattern=NO_NUL)]


class UserBody(Body, kw_only=True):
    """A person as others see them."""

    id: Id
    username: str
    display_name: str
    about: str
    avatar_url: str


class MeBody(UserBody, kw_only=True):
    """A person as they see themselves."""

    email: str


class Register(Request, kw_only=True):
    """Sign-up. With `cookie`, the browser gets a session cookie instead of a token."""

    username: Username
    password: Password
    email: Annotated[str, Meta(max_length=254, pattern=NO_NUL)] = ""
    display_name: DisplayName = ""
    device_name: DeviceName = ""
    cookie: bool = False


class Login(Request, kw_only=True):
    """Sign-in; `cookie` as in `Register`."""

    username: Annotated[str, Meta(min_length=1, max_length=254, pattern=NO_NUL)]
    password: Password
    device_name: DeviceName = ""
    cookie: bool = False


class SignedIn(Body, kw_only=True):
    """A new session. `token` is shown only here; null for a cookie session."""

    token: str | None
    user: MeBody


class UpdateMe(Request, kw_only=True):
    """Changes of my profile; absent fields stay as they are."""

    display_name: DisplayName | UnsetType = UNSET
    about: Annotated[str, Meta(max_length=500, pattern=NO_NUL)] | UnsetType = UNSET
    avatar_url: Annotated[str, Meta(max_length=500, pattern=r"^(https://[^\x00\s]+)?$")] | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=254, pattern=NO_NUL)] | UnsetType = UNSET


class SessionBody(Body, kw_only=True):
    """One of my device sessions."""

    id: Id
    device_id: str
    device_name: str
    created_at: Time
    last_used_at: Time
    current: bool


class SessionPage(Body, kw_only=True):
    """My device sessions, newest first."""

    results: list[SessionBody]
    next: str | None


class BlockUser(Request, kw_only=True):
    """The person to block."""

    user_id: UUID


class UserSearch(Request, kw_only=True):
    """Part of a username or display name."""

    q: Annotated[str, Meta(min_length=1, max_length=64)]


class UsersQuery(Request, kw_only=True):
    """Ids of people, separated by commas."""

    ids: str


class UserPage(Body, kw_only=True):
    """People."""

    results: list[UserBody]
    next: str | None
