"""Application configuration."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Registers the authenticator of the socket."""

    name = "accounts"

    def ready(self) -> None:
        from accounts import socket  # noqa: F401 - importing it registers the authenticator
