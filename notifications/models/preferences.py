"""What people want to be notified of. A person who never changed anything has no row."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from conversations.models import Participant


class Preferences(models.Model):
    """What one person wants in general. A conversation has its own level and muting; the stricter level holds."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="notification_preferences"
    )
    push = models.BooleanField(default=True, help_text="Notifications on devices.")
    email = models.BooleanField(default=True, help_text="Mail about messages that stay unread.")
    preview = models.BooleanField(default=False, help_text="Sender and text in notifications.")
    level = models.CharField(max_length=16, choices=Participant.Level.choices, default=Participant.Level.ALL)
    quiet_from = models.TimeField(null=True, blank=True, help_text="Do not disturb from then, in the time zone,")
    quiet_until = models.TimeField(null=True, blank=True, help_text="until then.")
    quiet_days = models.CharField(max_length=7, default="0123456", help_text="Days on which it begins; 0 is Monday.")
    time_zone = models.CharField(max_length=64, default="UTC")
    paused_until = models.DateTimeField(null=True, blank=True, help_text="No notifications until then.")

    class Meta:
        verbose_name_plural = "preferences"
        constraints = (
            models.CheckConstraint(
                name="quiet_from_and_until",
                condition=Q(quiet_from=None, quiet_until=None) | Q(quiet_from__isnull=False, quiet_until__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"
