"""Devices and preferences, what is on its way to devices, the list in the app, and breakers.

`FanOut` and `Delivery` are the queue itself: Celery's messages only say that it is worth a look.
"""

from notifications.models.devices import PushDevice
from notifications.models.in_app import Notification
from notifications.models.mail import Digest
from notifications.models.preferences import Preferences
from notifications.models.queue import Breaker, Delivery, FanOut, Progress

__all__ = ["Breaker", "Delivery", "Digest", "FanOut", "Notification", "Preferences", "Progress", "PushDevice"]
