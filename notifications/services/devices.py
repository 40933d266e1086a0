"""Push addresses: registered by a device session, and deleted with it."""

import datetime
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from push_notifications.models import APNSDevice, GCMDevice, WebPushDevice

from accounts.models import DeviceSession
from notifications import frames
from notifications.models import PushDevice
from notifications.providers.addresses import UnsafeAddress, check_url
from notifications.providers.web_push import check_keys
from notifications.senders import allowed_addresses, is_set_up
from realtime.database import clock
from realtime.wire.errors import DomainError, Invalid

Provider = PushDevice.Provider
PROVIDER_OF: dict[str, Provider] = {"ios": Provider.APNS, "android": Provider.FCM, "web": Provider.WEB_PUSH}
TABLE_OF: dict[str, Any] = {Provider.APNS: APNSDevice, Provider.FCM: GCMDevice, Provider.WEB_PUSH: WebPushDevice}


def register_device(session: DeviceSession, wanted: frames.RegisterDevice) -> tuple[PushDevice, bool]:
    """Register a push address for this session; return it, and whether it is new to the session.

    It replaces the session's former address. If another session had it, that one loses it: the device is now this
    person's.

    :raises Invalid: the token, the endpoint or its keys cannot be right.
    :raises DomainError: not_supported, if this server has no keys for the provider.
    """
    provider = PROVIDER_OF[wanted.platform]
    if not is_set_up(provider):
        raise DomainError("not_supported", f"This server does not send by {provider.label}.")
    own = {"user_id": session.user_id, **_checked(provider, wanted)}
    while True:
        registered = _registered(session, provider, own, wanted)
        if registered is not None:
            return registered


def unregister_device(*, user_id: UUID, token: str) -> None:
    """Delete an address of this person; nothing happens if there is none."""
    with transaction.atomic():
        rows = [row for table in TABLE_OF.values() for row in table.objects.filter(registration_id=token)]
        _delete(rows, address__user_id=user_id)


def forget_dead_device(*, device_id: UUID, token: str, since: datetime.datetime | None = None) -> None:
    """Delete an address whose provider says that the token is no longer valid, unless it has another token by now.

    An address that was registered after `since`, when the provider found the token dead, is kept: the token is in use
    again.
    """
    with transaction.atomic():
        row = _token_of(PushDevice.objects.filter(id=device_id).select_related(*TABLE_OF).first())
        if row is not None and row.registration_id == token:
            not_since = {"address__registered_at__lte": since} if since is not None else {}
            _delete([row], address__id=device_id, **not_since)


def forget_orphans() -> int:
    """Delete the tokens of sessions that were purged; return how many."""
    count = 0
    for table in TABLE_OF.values():
        with transaction.atomic():
            orphans = table.objects.filter(address=None)
            locked = list(orphans.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
            # Filtered again: until it was locked, a session may have registered it.
            count += orphans.filter(pk__in=locked).delete()[0]
    return count


def _registered(
    session: DeviceSession, provider: Provider, own: dict[str, Any], wanted: frames.RegisterDevice
) -> tuple[PushDevice, bool] | None:
    """Do what `register_device` says; None, for the caller to try again, if the token was deleted just now."""
    with transaction.atomic():
        # Registrations of one session run one after the other.
        DeviceSession.objects.select_for_update(no_key=True).get(id=session.id)
        table = TABLE_OF[provider]
        table.objects.bulk_create([table(registration_id=wanted.device_token, **own)], ignore_conflicts=True)
        token = table.objects.filter(registration_id=wanted.device_token).first()
        devices = PushDevice.objects.filter(session=session).select_related(*TABLE_OF)
        locked = _locked([token, _token_of(devices.first())])
        if token not in locked:
            return None
        token = locked[locked.index(token)]
        _update(token, own)
        PushDevice.objects.filter(**{provider: token}).exclude(session=session).delete()
        # Read only now: until its token was locked, the address may have moved to another session or been deleted.
        device = devices.first() or PushDevice(
            user_id=session.user_id, session=session, provider=provider, created_at=clock.now()
        )
        before = _token_of(device)
        # The row is kept: deliveries that wait for the session's device go to its new address.
        device.provider, device.sandbox = provider, wanted.environment == "sandbox"
        device.registered_at = clock.now()
        for each in TABLE_OF:
            setattr(device, each, token if each == provider else None)
        device.save()
        if before is not None and before != token:
            before.delete()
    return device, before != token


def _checked(provider: Provider, wanted: frames.RegisterDevice) -> dict[str, Any]:
    """Return the values of the provider's table besides the token.

    :raises Invalid: as `register_device`.
    """
    if provider == Provider.WEB_PUSH:
        assert wanted.keys is not None
        try:
            check_url(wanted.device_token, allowed=allowed_addresses())
        except UnsafeAddress as why:
            raise Invalid(device_token=str(why)) from why
        try:
            check_keys(wanted.keys.p256dh, wanted.keys.auth)
        except ValueError as why:
            raise Invalid(keys=str(why)) from why
        return {"p256dh": wanted.keys.p256dh, "auth": wanted.keys.auth}
    if provider == Provider.APNS:
        if len(wanted.device_token) > 200 or not _is_hexadecimal(wanted.device_token):
            raise Invalid(device_token="an APNs token is hexadecimal, at most 200 digits")  # noqa: S106 - a field's name
        return {}
    return {"cloud_message_type": "FCM"}


def _is_hexadecimal(text: str) -> bool:
    return not set(text) - set("0123456789abcdefABCDEF")


def _update(token: Any, fields: dict[str, Any]) -> None:
    changed = [name for name, value in fields.items() if getattr(token, name) != value]
    for name in changed:
        setattr(token, name, fields[name])
    if changed:
        token.save(update_fields=changed)


def _token_of(device: PushDevice | None) -> Any:
    return getattr(device, device.provider) if device is not None else None


def _locked(tokens: Iterable[Any]) -> list[Any]:
    """Lock tokens in the one order that all code uses, and return those that still exist.

    A session is locked before tokens. No address is changed or deleted without the lock of its token.
    """
    found: list[Any] = []
    for table in TABLE_OF.values():
        ids = [token.pk for token in tokens if isinstance(token, table)]
        found += table.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    return found


def _delete(tokens: Iterable[Any], **matching: Any) -> None:
    """Delete the tokens that match once they are locked, and with them their addresses."""
    for token in _locked(tokens):
        type(token).objects.filter(pk=token.pk, **matching).delete()
