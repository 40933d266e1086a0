"""What the production profile refuses to start with."""

from django.core.exceptions import ImproperlyConfigured


def refuse_unsafe(
    *,
    debug: bool,
    secret_key: str,
    allowed_hosts: list[str],
    allowed_origins: list[str],
    database_url: str,
    redis_url: str,
    crash_point: str,
    testing: bool,
) -> None:
    """Check the settings of a production process.

    :raises ImproperlyConfigured: naming every setting that is unsafe or missing, at once.
    """
    faults = []
    if debug:
        faults.append("DEBUG is on: it shows source code and settings to strangers")
    if len(secret_key) < 32 or secret_key.startswith(("django-insecure", "changeme", "change-me")):
        faults.append("SECRET_KEY is missing, a default, or shorter than 32 characters")
    if not allowed_hosts or "*" in allowed_hosts:
        faults.append("ALLOWED_HOSTS is empty or a wildcard: name the host names you serve")
    if not allowed_origins or any("*" in origin for origin in allowed_origins):
        faults.append("ALLOWED_ORIGINS is empty or a wildcard: name the origins of your web pages")
    elif not testing and any(not origin.startswith("https://") for origin in allowed_origins):
        faults.append("ALLOWED_ORIGINS must begin with https://")
    if not database_url.startswith(("postgres://", "postgresql://")):
        faults.append("DATABASE_URL is not a PostgreSQL URL")
    if not redis_url:
        faults.append("REDIS_URL is missing")
    if crash_point and not testing:
        faults.append("CHATSITE_CRASH_POINT is set outside a test")
    if faults:
        raise ImproperlyConfigured("production refuses to start:\n  - " + "\n  - ".join(faults))
