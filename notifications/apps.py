"""Application configuration."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Makes the app's frames known."""

    name = "notifications"

    def ready(self) -> None:
        from notifications import frames  # noqa: F401 - a frame is known once its class is
