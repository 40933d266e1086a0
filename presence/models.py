"""History of connections, to explain why a message did not arrive. Open connections are in the store."""

from datetime import timedelta

from django.conf import settings
from django.db import models

from accounts.models import new_id

# A message gets its time before its commit and is sent to sockets after it, usually within this time. About newer
# messages a trace says nothing.
AFTER_COMMIT = timedelta(seconds=1)


class ServerProcess(models.Model):
    """A server process that records its connections.

    It renews `seen_at` every ten seconds. At that time it had read all committed events, and its connections without
    `closed_at` were open.
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
    """One authenticated connection of a device.

    `written_until`: frames queued up to this time were written to the network; null: all frames were.
    """

    # No foreign-key constraints: records outlive the rows that they refer to, and checking so many would be slow.
    id = models.UUIDField(primary_key=True, editable=False)
    process_id = models.UUIDField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    session_id = models.UUIDField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    close_code = models.IntegerField(
        null=True, help_text="Sent by the server, else by the client; 1006: the connection broke without one."
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
