"""What this app does when one person blocks another."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from accounts.signals import blocks_changed
from conversations import services


@receiver(blocks_changed)
def on_blocks_changed(blocker_id: UUID, blocked_id: UUID, **_: Any) -> None:
    """Block or unblock the direct conversation of the two, in the transaction of the block."""
    services.follow_block(user_id=blocker_id, other_id=blocked_id)
