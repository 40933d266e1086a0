"""Invented people, conversations and messages in any number, written by set-based SQL (PostgreSQL only).

What comes out obeys every rule that the services keep: logs without gaps, exact counters, an event for each
message, receipts that end where the marks are. The same seed gives the same rows. Ids and times have the shape
and the order of real ones, and the messages of all conversations lie interleaved, as they would have come.

    plan        how much, and whether that can be     statements  the SQL, one function per step
    indices     big tables without their indices      writing     all steps in one transaction
"""

from benchmarks.load_data.plan import Plan
from benchmarks.load_data.writing import NotEmpty, write

__all__ = ["NotEmpty", "Plan", "write"]
