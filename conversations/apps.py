"""Application configuration."""

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    """Registers the app's part of the socket."""

    name = "conversations"

    def ready(self) -> None:
        # What these declare is registered by import.
        from conversations import log_reader, receivers, socket  # noqa: F401
