"""What a message of FCM's HTTP v1 interface may look like: the reference of `projects.messages`."""

import json
import re
from typing import Any

_LARGEST = 4096  # bytes of data and notification together
_TTL = re.compile(r"[0-9]+(\.[0-9]{1,9})?s\Z")
_LONGEST_TTL = 2_419_200.0
_TARGETS = {"token", "topic", "condition"}
_TEXT = {
    "title", "body", "icon", "color", "sound", "tag", "click_action", "body_loc_key", "title_loc_key", "channel_id",
    "ticker", "image", "event_time", "notification_priority", "visibility", "proxy",
}  # fmt: skip
_FIELDS: dict[str, set[str]] = {
    "": {"validate_only", "message"},
    "message": _TARGETS | {"name", "data", "notification", "android", "webpush", "apns", "fcm_options"},
    "message.notification": {"title", "body", "image"},
    "message.android": {
        "collapse_key", "priority", "ttl", "restricted_package_name", "data", "notification", "fcm_options",
        "direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok",
    },
    "message.android.notification": _TEXT | {
        "body_loc_args", "title_loc_args", "sticky", "local_only", "default_sound", "default_vibrate_timings",
        "default_light_settings", "vibrate_timings", "notification_count", "light_settings",
        "bypass_proxy_notification",
    },
    "message.fcm_options": {"analytics_label"},
    "message.android.fcm_options": {"analytics_label"},
}  # fmt: skip


class Invalid(Exception):
    """The message is invalid; the text is like Google's."""


def check_message(payload: Any, size: int) -> None:
    """Check a request's body.

    :param size: bytes of the whole body.
    :raises Invalid: it does not fit the reference.
    """
    request = _fields(payload, "")
    message = _fields(request.get("message"), "message")
    if len(_TARGETS & message.keys()) != 1:
        raise Invalid("Exactly one of token, topic or condition is required")
    _check_data(message.get("data", {}), "message.data")
    if "notification" in message:
        _check_texts(_fields(message["notification"], "message.notification"), "message.notification")
    android = _fields(message.get("android", {}), "message.android")
    _check_android(android)
    shown = {name: part for name in ("data", "notification") if (part := message.get(name))}
    if len(json.dumps(shown).encode()) > _LARGEST or size > 4 * _LARGEST:
        raise Invalid("Android message is too big")


def _check_android(android: dict[str, Any]) -> None:
    if str(android.get("priority", "HIGH")).upper() not in ("HIGH", "NORMAL"):
        raise Invalid(f"Invalid value at 'message.android.priority': {android['priority']}")
    if "ttl" in android:
        ttl = android["ttl"]
        if not isinstance(ttl, str) or not _TTL.match(ttl) or float(ttl[:-1]) > _LONGEST_TTL:
            raise Invalid(f"Invalid value at 'message.android.ttl': {ttl}")
    _check_data(android.get("data", {}), "message.android.data")
    if not isinstance(android.get("collapse_key", ""), str):
        raise Invalid("Invalid value at 'message.android.collapse_key'")
    if "notification" in android:
        notification = _fields(android["notification"], "message.android.notification")
        _check_texts(notification, "message.android.notification")
        if type(notification.get("notification_count", 0)) is not int:
            raise Invalid("Invalid value at 'message.android.notification.notification_count'")


def _check_data(data: Any, where: str) -> None:
    if not isinstance(data, dict):
        raise Invalid(f"Invalid value at '{where}'")
    for name, value in data.items():
        if not isinstance(value, str):
            raise Invalid(f"Invalid value at '{where}[{name}].value' (TYPE_STRING), {json.dumps(value)}")
        if name in ("from", "message_type") or name.startswith(("google.", "gcm.")):
            raise Invalid(f"Invalid data payload key: {name}")


def _check_texts(fields: dict[str, Any], where: str) -> None:
    for name in _TEXT & fields.keys():
        if not isinstance(fields[name], str):
            raise Invalid(f"Invalid value at '{where}.{name}' (TYPE_STRING), {json.dumps(fields[name])}")


def _fields(value: Any, where: str) -> dict[str, Any]:
    """Return an object's fields in snake case: Google takes both forms."""
    if not isinstance(value, dict):
        raise Invalid(f"Invalid value at '{where or 'body'}'")
    named = {re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name): found for name, found in value.items()}
    if unknown := named.keys() - _FIELDS[where]:
        raise Invalid(
            f"Invalid JSON payload received. Unknown name \"{min(unknown)}\" at '{where}': Cannot find field."
        )
    return named
