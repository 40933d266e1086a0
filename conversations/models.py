"""Conversations, participants and the event log. Not here: messages, which the log only refers to."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import new_id
from conversations.event_kinds import NAME_LENGTH

GROUP_NAME_LENGTH = 100


class Epoch(models.Model):
    """The current epoch: one row, written only by the module `epoch`."""

    ONLY = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY, editable=False)
    epoch = models.UUIDField()
    origin = models.CharField(max_length=100, help_text="What the database said of its history when the epoch began.")

    class Meta:
        constraints = (models.CheckConstraint(name="one_epoch", condition=Q(id=1)),)

    def __str__(self) -> str:
        return str(self.epoch)


class Conversation(models.Model):
    """A conversation and its counters. All writes in it are ordered by its row lock."""

    class Type(models.TextChoices):
        DIRECT = "direct"
        GROUP = "group"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    type = models.CharField(max_length=16, choices=Type.choices)
    name = models.CharField(max_length=GROUP_NAME_LENGTH, blank=True)
    description = models.CharField(max_length=1000, blank=True)
    avatar_url = models.URLField(max_length=500, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(help_text="Of the newest event.")
    last_activity_at = models.DateTimeField(help_text="Of the newest message; lists are sorted by it.")
    direct_key = models.CharField(
        max_length=73,
        null=True,
        blank=True,
        unique=True,
        editable=False,
        help_text="Both ids of a direct pair, sorted.",
    )
    last_sequence = models.BigIntegerField(default=0)
    last_message_sequence = models.BigIntegerField(default=0, help_text="0 while there is no message.")
    message_count = models.BigIntegerField(default=0, help_text="Messages that people wrote, tombstones included.")
    participant_count = models.IntegerField(default=0)
    blocked = models.BooleanField(
        default=False, db_default=False, help_text="Direct: one of the two blocks the other; nobody writes."
    )
    notifications_enabled = models.BooleanField(
        default=True, db_default=True, help_text="Off: nobody is notified of anything here."
    )

    class Meta:
        ordering = ("-last_activity_at", "-id")
        constraints = (
            models.CheckConstraint(
                name="direct_pairs_have_a_key",
                condition=Q(type="direct", direct_key__isnull=False) | (~Q(type="direct") & Q(direct_key__isnull=True)),
            ),
            models.CheckConstraint(
                name="conversation_counters_fit",
                condition=Q(last_sequence__gte=F("last_message_sequence"))
                & Q(last_sequence__gte=F("message_count"))
                & Q(message_count__gte=0)
                & Q(participant_count__gte=0),
            ),
        )

    def __str__(self) -> str:
        return self.name or f"{self.type} {self.id}"


class Participant(models.Model):
    """A person's membership in a conversation. The row stays when they leave (`left_at`) and is used again later.

    `selectors.unread` has the formulas of unread messages and mentions. `read_` counters are copies of the counters as
    they were at the read position; `read_message_count` also counts the others' deleted messages after it.
    """

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"

    class Level(models.TextChoices):
        """Which messages of the conversation notify the participant."""

        ALL = "all"
        MENTIONS = "mentions"
        NONE = "none"

    # Needs no index of its own: the unique constraint begins with it.
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="participants", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="participations")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.MEMBER)
    can_send_messages = models.BooleanField(default=True)
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    history_from = models.BigIntegerField(default=1, help_text="First sequence that this person may see.")
    last_read_sequence = models.BigIntegerField(default=0)
    last_read_at = models.DateTimeField(null=True, blank=True)
    last_delivered_sequence = models.BigIntegerField(default=0)
    last_delivered_at = models.DateTimeField(null=True, blank=True)
    sent_count = models.BigIntegerField(default=0)
    read_message_count = models.BigIntegerField(default=0)
    read_sent_count = models.BigIntegerField(default=0)
    mentioned_count = models.BigIntegerField(default=0, db_default=0)
    read_mentioned_count = models.BigIntegerField(default=0, db_default=0)
    muted_until = models.DateTimeField(null=True, blank=True, help_text="No notifications until then.")
    notification_level = models.CharField(max_length=16, choices=Level.choices, default=Level.ALL, db_default=Level.ALL)
    pinned = models.BooleanField(default=False, db_default=False)
    archived = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ("conversation_id", "id")
        constraints = (
            models.UniqueConstraint(fields=["conversation", "user"], name="one_place_per_person"),
            models.CheckConstraint(
                name="watermarks_in_order", condition=Q(last_delivered_sequence__gte=F("last_read_sequence"))
            ),
        )
        indexes = (models.Index(fields=["user"], name="places_now", condition=Q(left_at=None)),)

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}"


class Event(models.Model):
    """One durable change of a conversation. It refers to what changed and never holds text."""

    # Needs no index of its own: the unique constraint begins with it. Needs no foreign-key constraint: events are
    # written under the lock of the conversation's row, which therefore exists (decision 0014).
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="events", db_index=False, db_constraint=False
    )
    sequence = models.BigIntegerField()
    kind = models.CharField(max_length=NAME_LENGTH, help_text="Name of an `EventKind` of some app.")
    subject_sequence = models.BigIntegerField(help_text="Sequence of the message that changed, else the event's own.")
    message_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    actor_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("conversation_id", "sequence")
        constraints = (
            models.UniqueConstraint(fields=["conversation", "sequence"], name="sequence_taken_once"),
            models.CheckConstraint(name="sequence_from_one", condition=Q(sequence__gte=1)),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.sequence}"
