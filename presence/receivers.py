"""Follows blocks."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.dispatch import receiver

from accounts.signals import blocks_changed
from presence import services


@receiver(blocks_changed)
def on_blocks_changed(blocker_id: UUID, blocked_id: UUID, **_: Any) -> None:
    """After the commit, show the two people to each other as offline, or as they are."""
    transaction.on_commit(partial(services.follow_block, str(blocker_id), str(blocked_id)))
