"""Messages, mentions, receipt changes, and the positions of single devices."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import DeviceSession, new_id
from conversations.models import Conversation


class Message(models.Model):
    """A message. Deleted for everyone, it stays as an empty tombstone.

    `payload_digest` distinguishes a repeated send from another use of the same client_message_id; it is removed with
    the text.
    """

    class Type(models.TextChoices):
        TEXT = "text"
        LOCATION = "location"
        SYSTEM = "system"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # Need no indexes of their own: unique constraints begin with conversation and sender. Need no foreign-key
    # constraints: the conversation is locked, and the sender is a participant of it (decision 0014).
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False, db_constraint=False
    )
    sequence = models.BigIntegerField()
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="messages",
        db_index=False,
        db_constraint=False,
    )
    client_message_id = models.UUIDField(null=True, editable=False)
    message_type = models.CharField(max_length=16, choices=Type.choices)
    content = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    # The database fills it in if a process of the previous release inserts.
    mentions = models.JSONField(default=list, blank=True, db_default=[])
    reply_to_id = models.UUIDField(null=True, blank=True)
    payload_digest = models.UUIDField(null=True, editable=False, help_text="128 bits of a SHA-256.")
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("conversation_id", "-sequence")
        constraints = (
            models.UniqueConstraint(fields=["conversation", "sequence"], name="one_message_per_sequence"),
            models.UniqueConstraint(fields=["sender", "client_message_id"], name="one_message_per_client_id"),
            models.CheckConstraint(
                name="people_write_all_but_system",
                condition=Q(message_type="system", sender=None)
                | (~Q(message_type="system") & Q(sender__isnull=False, client_message_id__isnull=False)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.message_type} {self.sequence}"


class Mention(models.Model):
    """A message counts as a mention of a member, never of its own sender.

    `Message.mentions` has what the message shows; these rows are counted, and found by person.
    """

    # Need no foreign-key constraints, as with messages: the conversation is locked (decision 0014).
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    message_id = models.UUIDField()
    sequence = models.BigIntegerField(help_text="Of the message.")

    class Meta:
        ordering = ("conversation_id", "sequence", "user_id")
        constraints = (models.UniqueConstraint(fields=["message_id", "user"], name="one_mention_per_message"),)
        indexes = (models.Index(fields=["user", "conversation", "sequence"], name="mentions_of_user"),)

    def __str__(self) -> str:
        return f"{self.user_id} in {self.message_id}"


class ReceiptChange(models.Model):
    """A position moved: at `moved_at`, everything up to `up_to_sequence` was delivered to, or read by, a person."""

    class Kind(models.TextChoices):
        DELIVERED = "delivered"
        READ = "read"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    from_sequence = models.BigIntegerField(help_text="The position before; the change covers what lies above.")
    up_to_sequence = models.BigIntegerField()
    moved_at = models.DateTimeField()
    session_id = models.UUIDField(null=True, help_text="The device session that reported it, if known.")

    class Meta:
        db_table = "messaging_receiptmove"  # its name before the model was renamed
        ordering = ("conversation_id", "id")
        indexes = (
            models.Index(fields=["conversation", "user", "kind", "up_to_sequence"], name="receipt_of_message"),
            models.Index(fields=["conversation", "moved_at"], name="receipts_since"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} {self.kind} up to {self.up_to_sequence}"


class DevicePosition(models.Model):
    """The delivery position of a device that acknowledged later than another device of its person.

    The device that was first is recorded in `ReceiptChange.session_id`.
    """

    # Written some seconds late, when session or conversation may be gone; their deletion deletes these rows, too
    # (decision 0014).
    session = models.ForeignKey(
        DeviceSession, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    up_to_sequence = models.BigIntegerField()
    marked_at = models.DateTimeField()

    class Meta:
        db_table = "messaging_devicemark"  # its name before the model was renamed
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["session", "conversation"], name="one_mark_per_device"),)

    def __str__(self) -> str:
        return f"{self.session_id} up to {self.up_to_sequence}"
