"""What a request says of its sender: the type of an authenticated one, the network address and the device."""

from typing import TYPE_CHECKING

from django.http import HttpRequest
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


# Identifies a browser, which sends no X-Device-ID. It outlives the session, so the next sign-in recognises the browser.
DEVICE_COOKIE = "device"
DEVICE_COOKIE_SECONDS = 60 * 60 * 24 * 400  # the most that browsers allow


def address_of(request: Request | HttpRequest) -> str:
    """Return the client's network address; the server has taken trusted proxies into account."""
    return str(request.META.get("REMOTE_ADDR", ""))


def device_id_of(request: Request | HttpRequest) -> str:
    """Return the id of the device as it gives it: a header, or the cookie of a browser; empty if there is none."""
    given = request.headers.get("X-Device-ID") or request.COOKIES.get(DEVICE_COOKIE, "")
    return given[:128].replace("\x00", "")
