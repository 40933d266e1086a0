"""Application configuration."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """The ground floor; it registers nothing, it is what others register with."""

    name = "realtime"
