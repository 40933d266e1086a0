"""Every limit and time-out that the server enforces.

`settings.LIMITS` is the one instance, `GET /api/v1/limits` shows it, and the variable CHATSITE_LIMITS (a JSON object)
changes entries. The code that meets a limit enforces it.
"""

import dataclasses
import json
import math
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts, bytes and seconds. A name ends in its unit unless it is a count."""

    text_code_points: int = 10_000
    stored_message_bytes: int = 64 * 1024
    frame_bytes: int = 64 * 1024
    body_bytes: int = 256 * 1024
    json_depth: int = 16
    json_keys: int = 64
    mentions_per_message: int = 50

    frames_per_second: float = 50
    frames_burst: int = 200
    messages_per_second: float = 20
    messages_burst: int = 100
    bad_frames_per_minute: int = 20
    sockets_per_user: int = 20
    connects_per_minute: float = 10
    connects_burst: int = 20
    connects_per_offence: float = 10
    unsigned_sockets_per_address: int = 10
    auth_seconds: float = 10

    logins_per_account: int = 10
    logins_per_account_everywhere: int = 100
    logins_per_address: int = 100
    login_window_seconds: int = 15 * 60
    registrations_per_address_per_hour: int = 60
    email_changes_per_account_per_hour: int = 10
    own_changes_per_minute: float = 30
    own_changes_burst: int = 60
    blocks_per_person: int = 500

    page_size: int = 50
    page_size_max: int = 200
    catch_up_events: int = 1_000
    catch_up_events_total: int = 10_000
    edit_window_seconds: int = 15 * 60
    group_participants: int = 5_000

    heartbeat_seconds: float = 30
    heartbeat_timeout_seconds: float = 60
    server_ping_seconds: float = 54
    typing_lease_seconds: float = 3
    idle_seconds: float = 5 * 60
    away_seconds: float = 15 * 60
    offline_after_seconds: float = 60

    outbox_frames: int = 256
    outbox_bytes: int = 1024 * 1024
    outbox_stuck_seconds: float = 10
    drain_seconds: float = 20

    @classmethod
    def from_json(cls, text: str) -> "Limits":
        """Build the limits from the defaults and the entries of a JSON object, which take precedence.

        :raises ImproperlyConfigured: the text is no object of known names and numbers.
        """
        try:
            overrides = json.loads(text)
            if not isinstance(overrides, dict):
                raise ValueError("must be a JSON object")
            known = {field.name: field.type for field in dataclasses.fields(cls)}
            unknown = sorted(set(overrides) - set(known))
            if unknown:
                raise ValueError(f"unknown: {', '.join(unknown)}")
            for name, value in overrides.items():
                whole_number_wanted = known[name] is int
                is_number = isinstance(value, int | float) and not isinstance(value, bool)
                if not is_number or not 0 < value < math.inf:
                    raise ValueError(f"{name} must be a number above 0")
                if whole_number_wanted and not isinstance(value, int):
                    raise ValueError(f"{name} must be a whole number")
            limits = cls(**overrides)
            if limits.catch_up_events_total < limits.catch_up_events:
                # The catch-up of one conversation must fit in one answer, or it would never complete.
                raise ValueError("catch_up_events_total must not be below catch_up_events")
            return limits
        except (ValueError, TypeError) as error:
            raise ImproperlyConfigured(f"CHATSITE_LIMITS: {error}") from error
