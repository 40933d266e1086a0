"""The type of an authenticated request, for the signatures of views."""

from typing import TYPE_CHECKING

from rest_framework.request import Request

from accounts.models import DeviceSession, User


class SignedInRequest(Request):
    """A request whose credential was accepted: it has a `user`, and `auth` is the device session.

    Only for type checkers: at run time views get REST framework's own `Request`. Permissions have refused requests
    without a credential before a view runs.
    """

    if TYPE_CHECKING:
        user: User
        auth: DeviceSession
