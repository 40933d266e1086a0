"""Writes everything in one transaction: after a failure the database is empty."""

from collections.abc import Callable

from django.db import connection, transaction

from accounts.models import User
from benchmarks.load_data import statements
from benchmarks.load_data.indices import without_indices
from benchmarks.load_data.plan import Plan
from conversations.models import Event
from messaging.models import ReceiptChange
from notifications.services.progress import begin_now

BIG_TABLES = ("messaging_message", "messaging_receiptmove", "conversations_event", "conversations_participant")
ALL_TABLES = ("accounts_user", "conversations_conversation", *BIG_TABLES)
# For this transaction only: memory for sorts and index builds; no JIT and no memoize, which cost more here than they
# save.
SETTINGS = {"work_mem": "128MB", "maintenance_work_mem": "512MB", "jit": "off", "enable_memoize": "off"}

# What is being written, how much of it is written, of how much.
Report = Callable[[str, int, int], None]


class NotEmpty(Exception):
    """The database has people already."""


def write(plan: Plan, report: Report) -> None:
    """Write the planned rows, then vacuum and analyse; `report` is called with the progress.

    :raises NotEmpty: there is somebody in the database; nothing was written.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(ALL_TABLES)} IN ACCESS EXCLUSIVE MODE")
        if User.objects.exists():
            raise NotEmpty
        for name, value in SETTINGS.items():
            cursor.execute(f"SET LOCAL {name} = '{value}'")
        with without_indices(cursor, BIG_TABLES, report):
            report("people and conversations", 0, plan.people + plan.conversations)
            for statement in statements.people_and_conversations(plan):
                cursor.execute(statement)
            report("people and conversations", plan.people + plan.conversations, plan.people + plan.conversations)
            for number in range(plan.slices):
                report("messages", plan.messages * number // plan.slices, plan.messages)
                for statement in statements.messages_and_receipts(plan, number):
                    cursor.execute(statement)
            report("messages", plan.messages, plan.messages)
            report("places of participants", 0, plan.conversations)
            cursor.execute(statements.participants())
            report("places of participants", plan.conversations, plan.conversations)
            begin_now("events", Event)
            begin_now("mail", Event)
            begin_now("receipts", ReceiptChange)
    with connection.cursor() as cursor:
        for number, table in enumerate(ALL_TABLES):
            report("tables vacuumed and analysed", number, len(ALL_TABLES))
            cursor.execute(f"VACUUM ANALYZE {table}")
    report("tables vacuumed and analysed", len(ALL_TABLES), len(ALL_TABLES))
