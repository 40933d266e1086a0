"""`manage.py make_vapid_key`: a key pair for Web Push."""

from typing import Any

from django.core.management.base import BaseCommand

from notifications.providers.vapid import new_vapid_private_key, vapid_public_key


class Command(BaseCommand):
    """Prints a new key and stores nothing."""

    help = "Print a new private key for Web Push, for VAPID_PRIVATE_KEY."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        private = new_vapid_private_key()
        self.stdout.write(f"VAPID_PRIVATE_KEY={private}")
        self.stdout.write(f"# the public key, which browsers get from the server: {vapid_public_key(private)}")
