"""Signals to the apps above, sent inside the transaction of the change."""

from django.dispatch import Signal

# A person blocked or unblocked another: `blocker_id`, `blocked_id`. The rows of both are locked.
blocks_changed = Signal()
