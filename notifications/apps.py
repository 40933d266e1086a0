"""Application configuration."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Registers the app's frames."""

    name = "notifications"

    def ready(self) -> None:
        from notifications import socket

        socket.register()
