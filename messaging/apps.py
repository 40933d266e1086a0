"""Application configuration."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Registers the app's part of the socket."""

    name = "messaging"

    def ready(self) -> None:
        # What these declare is registered by import.
        from messaging import receivers, recent_receipts, socket  # noqa: F401
