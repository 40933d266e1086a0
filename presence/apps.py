"""Application configuration."""

from django.apps import AppConfig


class PresenceConfig(AppConfig):
    """Registers the app's part of the socket."""

    name = "presence"

    def ready(self) -> None:
        # What these declare is registered by import.
        from presence import connection_records, leases, receivers, socket, typists  # noqa: F401
