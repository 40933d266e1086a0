"""Mail about messages that stay unread."""

from django.conf import settings
from django.db import models

from notifications.models.queue import WAITING, QueueRow


class Digest(QueueRow):
    """The newest digest of one person: waiting while `next_at` is set, else sent, or not sent for `reason`."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", "On its way"
        SENT = "sent", "Taken by the mail server"
        READ = "read", "Nothing was unread any more"
        OFF = "off", "The person wants no mail, or has no address"
        REFUSED = "refused", "The mail server refused it"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="digest"
    )
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.WAITING)
    reason = models.CharField(max_length=200, blank=True, help_text="What the mail server said.")
    attempts = models.IntegerField(default=0)
    sent_at = models.DateTimeField(null=True, help_text="When the last digest was sent.")
    covered_until = models.DateTimeField(null=True, help_text="Digests sent so far cover messages up to then.")

    class Meta:
        ordering = ("-user_id",)
        indexes = (models.Index(fields=["next_at"], name="digests_waiting", condition=WAITING),)

    def __str__(self) -> str:
        return f"digest for {self.user_id}"
