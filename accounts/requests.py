"""The request that a view gets after authentication, as a type."""

from typing import TYPE_CHECKING

from rest_framework.request import Request

from accounts.models import DeviceSession, User


class SignedInRequest(Request):
    """A request whose credential was accepted: `user` is there, and `auth` is the device session.

    Views name it in their signatures. What they get is REST framework's own `Request`: permissions have
    refused everybody else by then.
    """

    if TYPE_CHECKING:
        user: User
        auth: DeviceSession
