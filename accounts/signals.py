"""What this app tells those above it, inside the transaction of the change."""

from django.dispatch import Signal

# Somebody blocked or unblocked somebody: `blocker_id`, `blocked_id`. Both people's rows are locked.
blocks_changed = Signal()
