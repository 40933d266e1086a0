"""Delivery positions of single devices, buffered in memory and written in bulk.

A device that is the first of its person to acknowledge something is recorded in `ReceiptChange.session_id`. The rows
here are for devices that acknowledge later than another device of the person. No request waits for them; a process
that dies loses those of the last seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from messaging.models import DevicePosition
from realtime.database.rows import Columns, Statement, execute
from realtime.database.write_behind import WriteBehindBuffer

WRITE_SECONDS = 3.0
MOST_RECORDS = 50_000
ROWS_PER_STATEMENT = 1_000

_COLUMNS = Columns(DevicePosition, "session", "conversation", "up_to_sequence", "marked_at")
_TABLE = DevicePosition._meta.db_table
# Without WHERE, SQLite would parse ON as a part of the SELECT. Nothing in the text comes from outside.
_ONLY_FORWARD = f"""
    WHERE TRUE ON CONFLICT (session_id, conversation_id)
    DO UPDATE SET up_to_sequence = EXCLUDED.up_to_sequence, marked_at = EXCLUDED.marked_at
    WHERE {_TABLE}.up_to_sequence < EXCLUDED.up_to_sequence
"""


@dataclass(frozen=True, slots=True)
class DeviceReceipt:
    """A device acknowledged everything up to a sequence at `marked_at`."""

    session_id: UUID
    conversation_id: UUID
    up_to_sequence: int
    marked_at: datetime


def add(receipts: Sequence[DeviceReceipt]) -> None:
    """Buffer receipts of devices; they are written within some seconds."""
    for receipt in receipts:
        buffer.add((receipt.session_id, receipt.conversation_id), receipt)


def write_device_positions(receipts: Sequence[DeviceReceipt]) -> None:
    """Move the positions of devices forward; a position that is as far already keeps its time."""
    # In a fixed order, so that two processes do not wait for each other.
    rows = sorted(
        (receipt.session_id, receipt.conversation_id, receipt.up_to_sequence, receipt.marked_at) for receipt in receipts
    )
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        insert = _COLUMNS.insert(rows[start : start + ROWS_PER_STATEMENT])
        execute([Statement(insert.text + _ONLY_FORWARD, insert.parameters)])


def _further(older: DeviceReceipt, newer: DeviceReceipt) -> DeviceReceipt:
    return newer if newer.up_to_sequence > older.up_to_sequence else older


buffer: WriteBehindBuffer[tuple[UUID, UUID], DeviceReceipt] = WriteBehindBuffer(
    write_device_positions, merge=_further, most=MOST_RECORDS, seconds=WRITE_SECONDS
)
