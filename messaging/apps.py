"""Application configuration."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Registers the app's part of the socket."""

    name = "messaging"

    def ready(self) -> None:
        from messaging import receivers, socket  # noqa: F401 - what they declare is registered by import
