"""Which web pages may use a visitor's cookie at the upgrade."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def origin_is_allowed(origin: str | None, host: str | None) -> bool:
    """Return whether pages of `origin` may use the cookie: it is listed in ALLOWED_ORIGINS, or it is this very host.

    A missing Origin is refused: browsers always send one, and other clients have a bearer token. If the cookie is sent
    over TLS only, the page must have come over TLS, too: anybody on the way can forge a page of plain http.
    """
    if not origin:
        return False
    origin = origin.lower()
    if origin in settings.ALLOWED_ORIGINS:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    schemes = ("https",) if settings.SESSION_COOKIE_SECURE else ("http", "https")
    if parts.scheme not in schemes or not host or parts.netloc != host.lower():
        return False
    domain, _ = split_domain_port(parts.netloc)
    return validate_host(domain, settings.ALLOWED_HOSTS)
