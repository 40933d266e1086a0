"""Devices of users, registered as their apps do it, with providers for which this server has keys."""

import os
from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts.models import DeviceSession, User
from accounts.services import open_session
from notifications.frames import RegisterDevice, WebPushKeys
from notifications.models import PushDevice
from notifications.services.devices import register_device


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def keys_of_a_browser() -> WebPushKeys:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return WebPushKeys(p256dh=base64url(point), auth=base64url(os.urandom(16)))


def iphone(token: str | None = None) -> RegisterDevice:
    return RegisterDevice(device_token=token or os.urandom(32).hex(), platform="ios")


def android(token: str | None = None) -> RegisterDevice:
    return RegisterDevice(device_token=token or base64url(os.urandom(100)), platform="android")


def browser(token: str | None = None) -> RegisterDevice:
    endpoint = token or f"https://push.example.org/{base64url(os.urandom(24))}"
    return RegisterDevice(device_token=endpoint, platform="web", keys=keys_of_a_browser())


def session_of(user: User) -> DeviceSession:
    return open_session(user=user).session


def device_of(
    user: User, registration: RegisterDevice | None = None, session: DeviceSession | None = None
) -> PushDevice:
    device, _ = register_device(session or session_of(user), registration or iphone())
    return device
