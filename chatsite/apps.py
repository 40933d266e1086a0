"""Application configuration."""

from django.apps import AppConfig


class ChatsiteConfig(AppConfig):
    """The composition root; its commands concern the whole product."""

    name = "chatsite"
