"""Reads the database for the checker, past the servers: rows at the end, and snapshots on the way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from time import monotonic
from typing import Any, LiteralString

import psycopg

from tests.campaign.evidence import Contents, EventRow, MessageRow, ParticipantRow, ReceiptChangeRow, Snapshot
from tests.harness.postgresql import PostgreSQL

SNAPSHOT: LiteralString = """
    SELECT c.last_sequence,
           (SELECT count(*) FROM conversations_event e WHERE e.conversation_id = c.id),
           (SELECT coalesce(max(e.sequence), 0) FROM conversations_event e WHERE e.conversation_id = c.id),
           (SELECT array_agg(ROW(p.user_id::text, p.last_delivered_sequence::text, p.last_read_sequence::text)::text)
            FROM conversations_participant p WHERE p.conversation_id = c.id)
    FROM conversations_conversation c WHERE c.id = %s::uuid
"""


def read_contents(postgresql: PostgreSQL, database: str, conversation_ids: Sequence[str]) -> Contents:
    """Return all rows of these conversations."""
    contents = Contents()
    ids = list(conversation_ids)

    def rows(query: LiteralString) -> list[tuple[Any, ...]]:
        return connection.execute(query, [ids]).fetchall()

    with postgresql.connect(database) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        contents.heads = dict(
            rows("SELECT id::text, last_sequence FROM conversations_conversation WHERE id = ANY(%s::uuid[])")
        )
        contents.messages = [
            MessageRow(*row)
            for row in rows(
                "SELECT id::text, conversation_id::text, sequence, sender_id::text, client_message_id::text, content, "
                "deleted_at IS NOT NULL FROM messaging_message WHERE conversation_id = ANY(%s::uuid[])"
            )
        ]
        contents.events = {conversation_id: [] for conversation_id in contents.heads}
        for conversation_id, *row in rows(
            "SELECT conversation_id::text, sequence, kind, subject_sequence, message_id::text, user_id::text "
            "FROM conversations_event WHERE conversation_id = ANY(%s::uuid[]) ORDER BY conversation_id, sequence"
        ):
            contents.events[conversation_id].append(EventRow(*row))
        contents.participants = {
            (conversation_id, user_id): ParticipantRow(*row)
            for conversation_id, user_id, *row in rows(
                "SELECT conversation_id::text, user_id::text, left_at IS NULL, history_from, last_delivered_sequence, "
                "last_read_sequence FROM conversations_participant WHERE conversation_id = ANY(%s::uuid[])"
            )
        }
        contents.receipt_changes = [
            ReceiptChangeRow(*row)
            for row in rows(
                "SELECT conversation_id::text, user_id::text, kind, from_sequence, up_to_sequence "
                "FROM messaging_receiptmove WHERE conversation_id = ANY(%s::uuid[]) ORDER BY id"
            )
        ]
    return contents


class Observer:
    """Takes snapshots of single conversations all the while, each in one statement."""

    def __init__(self, postgresql: PostgreSQL, database: str, dice: random.Random, every: float = 0.25) -> None:
        self.snapshots: list[Snapshot] = []
        self._postgresql, self._database, self._dice, self._every = postgresql, database, dice, every

    async def observe(self, conversation_ids: Sequence[str]) -> None:
        """Look at one conversation after the other, until cancelled; without a database wait for it."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._postgresql.url(self._database), autocommit=True, connect_timeout=5
                )
                async with connection:
                    while True:
                        await self._look(connection, self._dice.choice(conversation_ids))
                        await asyncio.sleep(self._every)
            except psycopg.Error:
                await asyncio.sleep(0.5)  # PostgreSQL is away, as the campaign wants it; no event says when it is back

    async def _look(self, connection: psycopg.AsyncConnection[Any], conversation_id: str) -> None:
        began = monotonic()
        row = await (await connection.execute(SNAPSHOT, [conversation_id])).fetchone()
        assert row is not None
        head, events, highest, positions = row
        parsed = (position.strip("()").split(",") for position in positions)
        self.snapshots.append(
            Snapshot(
                began, conversation_id, head, events, highest,
                tuple((user_id, int(delivered), int(read)) for user_id, delivered, read in parsed),
            )
        )  # fmt: skip
