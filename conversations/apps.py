"""Application configuration."""

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    """Registers the app's part of the socket."""

    name = "conversations"

    def ready(self) -> None:
        from conversations import receivers, socket  # noqa: F401 - what they declare is registered by import
