"""Notifications on the socket: frames only; there are no commands."""

from notifications import frames
from realtime import registry


def register() -> None:
    """Register with the realtime app; called once, when the apps are ready."""
    registry.register_frames(frames.NotificationFrame, frames.NotificationsRead)
