"""The senders of this process, made from the settings when first needed."""

import ssl
from functools import cache

from django.conf import settings

from notifications.models import PushDevice
from notifications.providers.apns import ApnsSender
from notifications.providers.connection import TransportLimits
from notifications.providers.fcm import FcmSender
from notifications.providers.network import PublicNetwork
from notifications.providers.push import Sender
from notifications.providers.vapid import vapid_public_key
from notifications.providers.web_push import WebPushSender

Provider = PushDevice.Provider


def is_set_up(provider: str) -> bool:
    """Return whether this server has the keys for a provider."""
    return getattr(settings.PROVIDERS, provider) is not None


def allowed_addresses() -> tuple[str, ...]:
    """Return the "host:port" that this server may connect to although they are not public."""
    return tuple(settings.PROVIDERS.allowed_addresses)


@cache
def public_key() -> str | None:
    """Return this server's public key for Web Push; None if it has no valid key."""
    web_push = settings.PROVIDERS.web_push
    try:
        return vapid_public_key(web_push.private_key) if web_push is not None else None
    except ValueError:
        return None


@cache
def sender_of(provider: str) -> Sender | None:
    """Return the sender of a provider, which keeps its connections; None if this server has no keys for it.

    :raises ValueError: the keys are not valid.
    :raises OSError: the file of certificates cannot be read.
    """
    given = settings.PROVIDERS
    tls = ssl.create_default_context(cafile=given.ca_file or None)
    limits = TransportLimits(answer=given.timeout)
    match provider:
        case Provider.APNS if (apns := given.apns) is not None:
            return ApnsSender(
                key=apns.key,
                key_id=apns.key_id,
                team_id=apns.team_id,
                topic=apns.topic,
                production_url=apns.url,
                sandbox_url=apns.sandbox_url,
                tls=tls,
                limits=limits,
            )
        case Provider.FCM if (fcm := given.fcm) is not None:
            return FcmSender(service_account=fcm.service_account, url=fcm.url, tls=tls, limits=limits)
        case Provider.WEB_PUSH if (web_push := given.web_push) is not None:
            return WebPushSender(
                vapid_private_key=web_push.private_key,
                subject=web_push.subject,
                network=PublicNetwork(allowed=allowed_addresses()),
                tls=tls,
                limits=limits,
            )
    return None
