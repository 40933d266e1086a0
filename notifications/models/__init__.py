"""Devices, preferences, the queue of pushes and mail, the list in the app, and breakers.

`FanOut`, `Delivery` and `Digest` are the queue itself; a Celery task only carries the key of a row.
"""

from notifications.models.devices import PushDevice
from notifications.models.in_app import Notification
from notifications.models.mail import Digest
from notifications.models.preferences import Preferences
from notifications.models.queue import Breaker, Delivery, FanOut, Progress

__all__ = ["Breaker", "Delivery", "Digest", "FanOut", "Notification", "Preferences", "Progress", "PushDevice"]
