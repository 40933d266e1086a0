"""Application configuration."""

from django.apps import AppConfig


class PresenceConfig(AppConfig):
    """Registers the app's part of the socket."""

    name = "presence"

    def ready(self) -> None:
        from presence import connection_records, receivers, socket  # noqa: F401 - what they declare is registered by import
