"""The list in the app."""

from django.conf import settings
from django.db import models

from accounts.models import new_id


class Notification(models.Model):
    """An entry of one person's list: a mention, a reply to them, or that they were added. It holds ids and no text.

    It is read when `read_at` is set, or when the person has read the conversation up to `sequence`.
    """

    class Kind(models.TextChoices):
        MENTION = "mention"
        REPLY = "reply"
        ADDED = "added"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # No index of its own: the unique constraint begins with this column.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    conversation_id = models.UUIDField()
    sequence = models.BigIntegerField()
    message_id = models.UUIDField(null=True)
    actor_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=["user", "conversation_id", "sequence"], name="notified_once"),)
        indexes = (models.Index(fields=["user", "-id"], name="notifications_of_user"),)

    def __str__(self) -> str:
        return f"{self.kind} for {self.user_id}"
