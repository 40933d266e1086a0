"""Messages, whom they mention, the moves of receipt marks, and how far single devices got."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import DeviceSession, new_id
from conversations.models import Conversation


class Message(models.Model):
    """A message; deleted for everyone it stays as an empty tombstone.

    `payload_digest` tells a repeated send from another use of the same client_message_id; it goes with the text.
    """

    class Type(models.TextChoices):
        TEXT = "text"
        LOCATION = "location"
        SYSTEM = "system"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # Unique constraints begin with conversation and sender; indexes of their own would only cost. What the database
    # would check again holds by the locked conversation and the sender's place in it (decision 0014).
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
    # The database fills it where a process of the release before inserts.
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
    """A message that counts as a mention of somebody who is in the conversation: never of its own sender.

    What a message shows stands in its `mentions`; this is what is counted, and found by person.
    """

    # As with messages: what the database would check again holds by the locked conversation (decision 0014).
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
    """A receipt mark moved: everything up to `up_to_sequence` was delivered to, or read by, this person then."""

    class Kind(models.TextChoices):
        DELIVERED = "delivered"
        READ = "read"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    from_sequence = models.BigIntegerField(help_text="The mark before; what it covers anew lies above.")
    up_to_sequence = models.BigIntegerField()
    moved_at = models.DateTimeField()
    session_id = models.UUIDField(null=True, help_text="The device session that moved it, as far as known.")

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
    """How far a device acknowledged what another device of its person had acknowledged before: the furthest, and when.

    A device that moves a mark of its person has that in `ReceiptChange.session_id`.
    """

    # Written some seconds late, when either may be gone; whoever deletes them takes these rows along (decision 0014).
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
