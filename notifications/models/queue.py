"""The queue of notifications, how far the log was read for it, and which providers fail."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import new_id
from notifications.decision import MEANINGS, PushOutcome
from notifications.models.devices import PushDevice

WAITING = Q(next_at__isnull=False)


class QueueRow(models.Model):
    """A row that workers work on: due at `next_at`, or done when that is NULL. `services.queue` says how.

    `queued_at` is when a Celery task was last made for it; NULL again once a worker has claimed it.
    """

    next_at = models.DateTimeField(null=True)
    # The column keeps its first name: during an upgrade, workers of the version before read and write it.
    queued_at = models.DateTimeField(null=True, db_column="hinted_at")

    class Meta:
        abstract = True


class Progress(models.Model):
    """How far a table was read: a row for each of `events`, `receipts` and `mail`.

    All rows up to the id `floor` were read. `floor` moves to `candidate` when every transaction of PostgreSQL up to the
    transaction id `horizon` has ended.
    """

    name = models.CharField(max_length=16, primary_key=True)
    floor = models.BigIntegerField(default=0)
    candidate = models.BigIntegerField(default=0)
    horizon = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "progress"

    def __str__(self) -> str:
        return f"{self.name} up to {self.floor}"


class FanOut(QueueRow):
    """A message for which pushes to the members are to be decided, or were. `after` is the last member decided for."""

    message_id = models.UUIDField(primary_key=True)
    conversation_id = models.UUIDField()
    sequence = models.BigIntegerField()
    sent_at = models.DateTimeField()
    after = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True, help_text="When the decisions for all members were made.")

    class Meta:
        ordering = ("-message_id",)
        indexes = (models.Index(fields=["next_at"], name="fan_outs_waiting", condition=WAITING),)

    def __str__(self) -> str:
        return f"fan-out of {self.message_id}"


class Delivery(QueueRow):
    """One push to one device: its outcome, the provider's reason, and when."""

    class Kind(models.TextChoices):
        MESSAGE = "message"
        BADGE = "badge"
        SYNC = "sync"
        TEST = "test"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.MESSAGE)
    # Records outlive devices and messages, and checking so many would cost: there are no foreign keys to either.
    message_id = models.UUIDField(null=True)
    conversation_id = models.UUIDField(null=True)
    sequence = models.BigIntegerField(default=0)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    device_id = models.UUIDField()
    provider = models.CharField(max_length=16, choices=PushDevice.Provider.choices)
    breaker = models.CharField(max_length=255, help_text="The breaker that failures of this push count for.")
    outcome = models.CharField(
        max_length=24,
        choices=[(outcome.value, meaning) for outcome, meaning in MEANINGS.items()],
        default=PushOutcome.SEND.value,
    )
    reason = models.CharField(max_length=200, blank=True, help_text="What the provider said.")
    provider_id = models.CharField(max_length=200, blank=True)
    attempts = models.IntegerField(default=0)
    superseded_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField()
    attempted_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    is_under_way = models.BooleanField(default=False, help_text="A worker works on it, until `next_at` at most.")

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        constraints = (
            models.UniqueConstraint(fields=["message_id", "device_id", "kind"], name="one_delivery_per_device"),
            models.UniqueConstraint(
                fields=["device_id"], name="one_badge_on_its_way", condition=Q(kind="badge", next_at__isnull=False)
            ),
        )
        indexes = (
            models.Index(fields=["breaker", "next_at"], name="deliveries_waiting", condition=WAITING),
            models.Index(fields=["user", "-id"], name="deliveries_of_person"),
            models.Index(fields=["device_id"], name="deliveries_under_way", condition=Q(is_under_way=True)),
            models.Index(fields=["superseded_by"], name="superseded", condition=Q(superseded_by__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.kind} to {self.device_id}: {self.outcome}"


class Breaker(models.Model):
    """A provider that failed lately: after enough failures in a row nothing is sent to it until `open_until`."""

    name = models.CharField(max_length=255, primary_key=True)
    failures = models.IntegerField(default=0)
    open_until = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
