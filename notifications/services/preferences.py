"""What people want to be notified of."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from accounts.models import User
from notifications import frames
from notifications.models import Preferences
from realtime.database import clock


def update_preferences(*, user_id: UUID, wanted: frames.UpdatePreferences) -> Preferences:
    """Change a person's own preferences; return them. A pause that is already over is stored as none."""
    given: Mapping[str, Any] = {
        name: value for name in wanted.__struct_fields__ if (value := getattr(wanted, name)) is not msgspec.UNSET
    }
    changes = {name: value for name, value in given.items() if name != "do_not_disturb"}
    if (until := changes.get("paused_until")) is not None and until <= clock.now():
        changes["paused_until"] = None
    if "do_not_disturb" in given:
        changes |= _quiet(given["do_not_disturb"])
    preferences, _ = Preferences.objects.update_or_create(user_id=user_id, defaults=changes)
    return preferences


def stop_mail(*, user_id: UUID) -> None:
    """Turn off a person's mail about unread messages; nothing happens if there is no such person."""
    if User.objects.filter(id=user_id).exists():
        Preferences.objects.update_or_create(user_id=user_id, defaults={"email": False})


def _quiet(quiet: frames.SetQuiet | None) -> dict[str, Any]:
    if quiet is None:
        return {"quiet_from": None, "quiet_until": None}
    return {
        "quiet_from": frames.time_of(quiet.begins),
        "quiet_until": frames.time_of(quiet.ends),
        "quiet_days": "".join(map(str, sorted(quiet.days))),
        "time_zone": quiet.time_zone,
    }
