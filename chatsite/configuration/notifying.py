"""The settings of notifications: their timings, and the operator's keys for each provider."""

import json
from dataclasses import dataclass
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class NotificationTimings:
    """Timings of the decision about pushes, in seconds."""

    # From the message to the decision: a person who reads it meanwhile gets no push.
    push_delay: float = 2
    # How long a person counts as active after doing something; how long a message waits for an active person.
    active: float = 60
    active_wait: float = 900
    # How old a message may be to be pushed.
    live: float = 86_400


@dataclass(frozen=True, slots=True)
class Apns:
    """Apple's token authentication: a key of the developer account, and the app's bundle id as topic."""

    key: str
    key_id: str
    team_id: str
    topic: str
    url: str = "https://api.push.apple.com"
    sandbox_url: str = "https://api.sandbox.push.apple.com"


@dataclass(frozen=True, slots=True)
class Fcm:
    """Google's service account, as the JSON text of its key file."""

    service_account: str
    url: str = "https://fcm.googleapis.com"


@dataclass(frozen=True, slots=True)
class WebPush:
    """The key pair that identifies this server to browsers (VAPID), and the contact for push services."""

    private_key: str
    subject: str


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers that are set up. Pushes for a provider that is None are refused, with that reason.

    `ca_file` and `allowed_addresses` ("host:port") are for providers, or stand-ins for them, in one's own network.
    """

    apns: Apns | None
    fcm: Fcm | None
    web_push: WebPush | None
    ca_file: str = ""
    allowed_addresses: tuple[str, ...] = ()
    timeout: float = 10


def timings(env: environ.Env) -> NotificationTimings:
    """Return the timings that the environment sets."""
    usual = NotificationTimings()
    return NotificationTimings(
        push_delay=env.float("PUSH_DELAY_SECONDS", usual.push_delay),
        active=env.float("PUSH_ACTIVE_SECONDS", usual.active),
        active_wait=env.float("PUSH_ACTIVE_WAIT_SECONDS", usual.active_wait),
        live=env.float("PUSH_SECONDS_TO_LIVE", usual.live),
    )


def providers(env: environ.Env, *, kept_vapid_key: str, public_url: str) -> Providers:
    """Return the providers that the environment sets up.

    :raises ImproperlyConfigured: one is set up incompletely.
    """
    return Providers(
        apns=_apns(env),
        fcm=_fcm(env),
        web_push=_web_push(env, kept_vapid_key, public_url),
        ca_file=env.str("PROVIDERS_CA_FILE", ""),
        allowed_addresses=tuple(env.list("ALLOWED_PRIVATE_ADDRESSES", default=[])),
        timeout=env.float("PROVIDERS_TIMEOUT_SECONDS", 10),
    )


def _apns(env: environ.Env) -> Apns | None:
    given = {
        "key": _text_or_file("APNS_KEY", env.str("APNS_KEY", "")),
        "key_id": env.str("APNS_KEY_ID", ""),
        "team_id": env.str("APNS_TEAM_ID", ""),
        "topic": env.str("APNS_TOPIC", ""),
    }
    missing = [f"APNS_{name.upper()}" for name, value in given.items() if not value]
    if len(missing) == len(given):
        return None
    if missing:
        raise ImproperlyConfigured(f"APNs is set up by half: {', '.join(missing)} missing")
    return Apns(
        **given,
        url=env.str("APNS_URL", Apns.__dataclass_fields__["url"].default),
        sandbox_url=env.str("APNS_SANDBOX_URL", Apns.__dataclass_fields__["sandbox_url"].default),
    )


def _fcm(env: environ.Env) -> Fcm | None:
    account = _text_or_file("FCM_SERVICE_ACCOUNT", env.str("FCM_SERVICE_ACCOUNT", ""))
    if not account:
        return None
    try:
        missing = {"project_id", "client_email", "private_key"} - json.loads(account).keys()
    except (ValueError, AttributeError) as error:
        raise ImproperlyConfigured("FCM_SERVICE_ACCOUNT is no JSON object, and no file that holds one") from error
    if missing:
        raise ImproperlyConfigured(f"FCM_SERVICE_ACCOUNT lacks {', '.join(sorted(missing))}")
    return Fcm(service_account=account, url=env.str("FCM_URL", Fcm.__dataclass_fields__["url"].default))


def _web_push(env: environ.Env, kept_key: str, public_url: str) -> WebPush | None:
    key = _text_or_file("VAPID_PRIVATE_KEY", env.str("VAPID_PRIVATE_KEY", "")) or kept_key
    if not key:
        return None
    usual = public_url if public_url.startswith("https://") else "mailto:postmaster@localhost"
    return WebPush(private_key=key, subject=env.str("VAPID_SUBJECT", usual))


def _text_or_file(name: str, value: str) -> str:
    """Return a key that is given as text, or as the path of its file."""
    if not value.startswith(("/", "./", "~")):
        # A key in PEM has several lines, and a variable in an environment file has one.
        return value.replace("\\n", "\n") if value.startswith("-----BEGIN") else value
    try:
        return Path(value).expanduser().read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: the file cannot be read ({error.strerror})") from error
