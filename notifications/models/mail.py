"""Mail about messages that stay unread."""

from django.conf import settings
from django.db import models

from notifications.models.queue import WAITING, QueueRow


class Digest(QueueRow):
    """The newest digest of one person: on its way with `next_at`, else sent, or not for `reason`."""

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
    reason = models.CharField(max_length=200, blank=True, help_text="The mail server's word for it.")
    attempts = models.IntegerField(default=0)
    sent_at = models.DateTimeField(null=True, help_text="When the last one was sent that was.")
    covered_until = models.DateTimeField(null=True, help_text="Messages up to then were told of.")

    class Meta:
        ordering = ("-user_id",)
        indexes = (models.Index(fields=["next_at"], name="digests_waiting", condition=WAITING),)

    def __str__(self) -> str:
        return f"digest for {self.user_id}"
