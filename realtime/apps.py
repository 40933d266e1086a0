"""Application configuration."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """Registers nothing itself: the other apps register with `realtime.registry`."""

    name = "realtime"
