"""What this app does when a group changes."""

from typing import Any

from django.dispatch import receiver

from conversations.signals import MembershipChanged, membership_changed
from messaging.services.change import write_system_message


@receiver(membership_changed)
def note_in_history(change: MembershipChanged, **_: Any) -> None:
    """Write the system message, in the transaction of the change."""
    write_system_message(change)
