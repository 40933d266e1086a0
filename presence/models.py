"""Records of connections, which show why something did not arrive. Present connections are in the store."""

from datetime import timedelta

from django.conf import settings
from django.db import models

from accounts.models import new_id

# A message has its time from before its commit and goes to sockets after it, usually within so long. Nothing is
# claimed of more recent messages.
AFTER_COMMIT = timedelta(seconds=1)


class ServerProcess(models.Model):
    """A server process that keeps records of its connections, renewed every ten seconds.

    Up to `seen_at` it had looked at all that was committed, and its connections without an end were open.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200, help_text="Host and process id.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "server processes"

    def __str__(self) -> str:
        return self.name


class Connection(models.Model):
    """One signed-in connection of a device, from beginning to end.

    `written_until`: everything that was handed to it up to then went out to its transport; null: everything so far.
    """

    # No foreign-key constraints: records outlive the rows that they refer to, and are too many to be checked.
    id = models.UUIDField(primary_key=True, editable=False)
    process_id = models.UUIDField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    session_id = models.UUIDField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    close_code = models.IntegerField(
        null=True, help_text="The server's own, else the client's; 1006: it ended without a word."
    )
    written_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-opened_at", "-id")
        indexes = (
            models.Index(fields=["-opened_at"], name="connections_by_time"),
            models.Index(fields=["user", "-opened_at"], name="connections_of_person"),
        )

    def __str__(self) -> str:
        return f"connection {self.id}"
