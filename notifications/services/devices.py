"""Push addresses: registered by a device session, moved with it, and gone when it ends."""

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
from realtime import clock
from realtime.errors import DomainError, Invalid

Provider = PushDevice.Provider
PROVIDER_OF: dict[str, Provider] = {"ios": Provider.APNS, "android": Provider.FCM, "web": Provider.WEB_PUSH}
TABLE_OF: dict[str, Any] = {Provider.APNS: APNSDevice, Provider.FCM: GCMDevice, Provider.WEB_PUSH: WebPushDevice}


def register_device(session: DeviceSession, wanted: frames.RegisterDevice) -> tuple[PushDevice, bool]:
    """Make an address the one that this session is pushed to; return it, and whether it is new here.

    Whoever had it before loses it: the device is this person's now. It takes the place of the session's former one.

    :raises Invalid: the token, the endpoint or its keys cannot be right.
    :raises DomainError: not_supported, when this server has no keys for the provider.
    """
    provider = PROVIDER_OF[wanted.platform]
    if not is_set_up(provider):
        raise DomainError("not_supported", f"This server does not send by {provider.label}.")
    fields = _checked(provider, wanted)
    table = TABLE_OF[provider]
    with transaction.atomic():
        # One after the other for one session, whatever its devices ask at the same time.
        DeviceSession.objects.select_for_update(no_key=True).get(id=session.id)
        own = {"user_id": session.user_id, **fields}
        table.objects.get_or_create(registration_id=wanted.device_token, defaults=own)
        token = table.objects.select_for_update().get(registration_id=wanted.device_token)
        _update(token, own)
        PushDevice.objects.filter(**{provider: token}).exclude(session=session).delete()
        device = PushDevice.objects.filter(session=session).select_related(*TABLE_OF).first() or PushDevice(
            user_id=session.user_id, session=session, provider=provider, created_at=clock.now()
        )
        # What is on its way to the session's device goes to its new address.
        before = getattr(device, device.provider)
        device.provider, device.sandbox = provider, wanted.environment == "sandbox"
        for each in TABLE_OF:
            setattr(device, each, token if each == provider else None)
        device.save()
        if before is not None and before != token:
            before.delete()
    return device, before != token


def unregister_device(*, user_id: UUID, token: str) -> None:
    """Forget an address of this person; nothing happens where there is none."""
    with transaction.atomic():
        for provider in TABLE_OF:
            _forget(PushDevice.objects.filter(user_id=user_id, **{f"{provider}__registration_id": token}))


def forget_dead_device(*, device_id: UUID, token: str) -> None:
    """Forget an address whose token its provider says is no longer valid; not one that has got another meanwhile."""
    with transaction.atomic():
        devices = PushDevice.objects.select_for_update(of=("self",)).filter(id=device_id)
        _forget([device for device in devices if getattr(device, device.provider).registration_id == token])


def forget_orphans() -> int:
    """Forget the tokens of sessions that were purged; return how many."""
    return sum(table.objects.filter(address=None).delete()[0] for table in TABLE_OF.values())


def _checked(provider: Provider, wanted: frames.RegisterDevice) -> dict[str, Any]:
    """Return the columns of the provider's table beside the token.

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


def _forget(devices: Iterable[PushDevice]) -> None:
    """Delete tokens, and with them the addresses."""
    for device in devices:
        getattr(device, device.provider).delete()
