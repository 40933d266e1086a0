"""Invented people, conversations and messages in any number, written by set-based SQL (PostgreSQL only).

The data keeps the invariants of the services: logs without gaps, exact counters, an event per message, positions
equal to the last receipt change. The same seed gives the same rows. Ids and times are ordered, and messages of
different conversations are interleaved.

    plan        how much, and whether that can be     statements  the SQL, one function per step
    indices     big tables without their indices      writing     all steps in one transaction
"""

from benchmarks.load_data.plan import Plan
from benchmarks.load_data.writing import NotEmpty, write

__all__ = ["NotEmpty", "Plan", "write"]
