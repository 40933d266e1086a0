"""What this app does when a group changes."""

from typing import Any

from django.dispatch import receiver

from conversations.signals import MembershipChanged, membership_changed
from messaging.services.change import write_system_message


@receiver(membership_changed)
def write_system_message_of_change(change: MembershipChanged, **_: Any) -> None:
    """Write the system message, in the transaction of the change."""
    write_system_message(change)
