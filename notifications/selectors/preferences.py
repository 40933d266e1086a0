"""A person's preferences, as they see them."""

from uuid import UUID

from notifications import frames
from notifications.models import Preferences


def preferences_of(user_id: UUID) -> frames.PreferencesBody:
    """Return a person's preferences; the defaults if they never changed anything."""
    return preferences_body(Preferences.objects.filter(user_id=user_id).first() or Preferences())


def preferences_body(preferences: Preferences) -> frames.PreferencesBody:
    """Return preferences as the body that their owner sees."""
    quiet = None
    if preferences.quiet_from is not None and preferences.quiet_until is not None:
        quiet = frames.Quiet(
            begins=f"{preferences.quiet_from:%H:%M}",
            ends=f"{preferences.quiet_until:%H:%M}",
            days=[int(day) for day in preferences.quiet_days],
            time_zone=preferences.time_zone,
        )
    return frames.PreferencesBody(
        push=preferences.push,
        email=preferences.email,
        preview=preferences.preview,
        level=preferences.level,
        do_not_disturb=quiet,
        paused_until=preferences.paused_until,
    )
