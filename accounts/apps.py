"""Application configuration."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Registers who recognises credentials on the socket."""

    name = "accounts"

    def ready(self) -> None:
        from accounts import socket  # noqa: F401 - it registers by import
