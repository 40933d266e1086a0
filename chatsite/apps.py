"""Application configuration."""

from django.apps import AppConfig


class ChatsiteConfig(AppConfig):
    """The composition root: commands that concern the whole."""

    name = "chatsite"
