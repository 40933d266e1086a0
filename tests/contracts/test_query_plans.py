"""The rows that a read scans do not grow with the tables: no statement scans many more rows than a page has.

The data is load data with one large conversation. After some calls PostgreSQL plans a prepared statement without
its values, for an average conversation. So each statement is explained with both kinds of plan.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from psycopg import sql

from accounts import selectors as account_selectors
from accounts.models import User
from accounts.services import open_session
from benchmarks.load_data import Plan, write
from conversations import catch_up, selectors
from conversations.frames import ConversationListQuery, EventsQuery
from conversations.models import Conversation, Participant
from messaging import selectors as message_selectors
from messaging.frames import HistoryQuery
from realtime.database.arrays import BinaryArray
from realtime.registry import registry

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGES, PEOPLE, CONVERSATIONS = 40_000, 200, 800
PAGE = 50
# A page, one more row that shows whether there are others, and the rows joined to each.
MOST_ROWS = 400


class Reader:
    """A person in the largest conversation, and their reads."""

    def __init__(self) -> None:
        self.large = Conversation.objects.order_by("-message_count")[0]
        self.user = User.objects.get(id=Participant.objects.filter(conversation=self.large)[0].user_id)
        self.token = open_session(user=self.user).token
        self.heads = {id: head.last_sequence for id, head in selectors.heads_of(self.user.id)[1].items()}
        self.middle = self.large.last_sequence // 2

    def signs_in(self) -> None:
        assert account_selectors.session_of_token(str(self.token))

    def is_attached(self) -> None:
        assert len(registry.log.attachments([str(self.user.id)])[0][1]) == len(self.heads)

    def learns_who_its_peers_are(self) -> None:
        assert selectors.peers_of([self.user.id], most_participants=selectors.LISTED_PARTICIPANTS)[self.user.id]

    def opens_the_newest_page(self) -> None:
        self._page(HistoryQuery())

    def scrolls_back_in_the_middle(self) -> None:
        self._page(HistoryQuery(before=self.middle))

    def scrolls_on_in_the_middle(self) -> None:
        self._page(HistoryQuery(after=self.middle))

    def jumps_to_the_middle(self) -> None:
        self._page(HistoryQuery(around=self.middle))

    def lists_conversations(self) -> None:
        assert selectors.conversation_page(self.user.id, ConversationListQuery()).results

    def reads_a_page_of_events(self) -> None:
        assert catch_up.events_page(self.user.id, self.large.id, EventsQuery(after=self.middle, limit=PAGE)).events

    def catches_up(self, *, conversations: int = MOST_ROWS) -> None:
        heads = list(self.heads.items())[:conversations]
        cursors: dict[UUID, int] = {id: max(0, head - 2) for id, head in heads}
        assert catch_up.missed(self.user.id, cursors, timezone.now()).events

    def _page(self, query: HistoryQuery) -> None:
        assert len(message_selectors.history(self.user.id, self.large.id, query).results) == PAGE


@pytest.fixture
def reader() -> Reader:
    write(Plan(MESSAGES, PEOPLE, CONVERSATIONS), lambda what, done, of: None)
    return Reader()


def test_no_read_scans_many_more_rows_than_a_page(reader: Reader) -> None:
    assert reader.large.message_count > MOST_ROWS * 3, "the conversation is too small for this test"
    asked = [name for name in vars(Reader) if not name.startswith("_")]
    too_much = []
    for name in asked:
        for text, parameters in _statements_of(getattr(reader, name)):
            for mode in ("force_custom_plan", "force_generic_plan"):
                rows = _rows_looked_at(text, parameters, mode)
                if rows > MOST_ROWS:
                    too_much.append(f"{name}, {mode}: {rows} rows by {text[:300]}")
    assert not too_much, "\n".join(too_much)


def test_statements_with_arrays_are_planned_once_for_every_length(reader: Reader) -> None:
    # psycopg prepares a statement after five calls; PostgreSQL plans its next five executions for their values.
    for times in range(25):
        reader.catches_up(conversations=1 + times % 7)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement, custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE '%unnest%'"
        )
        planned = cursor.fetchall()
    assert len(planned) >= 3, "the statements are not prepared"
    assert [plans for plans in planned if plans[1] > 5 or plans[2] < 10] == []


def _statements_of(work: Callable[[], None]) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    def note(execute: Any, text: str, parameters: Any, many: bool, context: Any) -> Any:
        seen.append((text, parameters))
        return execute(text, parameters, many, context)

    with connection.execute_wrapper(note):
        work()
    assert seen
    return [(text, parameters) for text, parameters in seen if text.lstrip().startswith("SELECT")]


def _rows_looked_at(text: str, parameters: Any, mode: str) -> float:
    """Execute a statement as a prepared one; return the number of rows that its scans read, with filtered ones."""
    names = [f"${number + 1}" for number in range(len(parameters or ()))]
    values = ", ".join(_literal(value) for value in parameters or ())
    with connection.cursor() as cursor:
        cursor.execute(f"SET plan_cache_mode = {mode}")
        cursor.execute(f"PREPARE looked_at AS {text % tuple(names)}")
        try:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked_at{f'({values})' if values else ''}")
            (plan,) = cursor.fetchone()
        finally:
            cursor.execute("DEALLOCATE looked_at")
            cursor.execute("RESET plan_cache_mode")
    found = plan if isinstance(plan, list) else json.loads(plan)
    return sum(_rows_of(node) for node in _nodes(found[0]["Plan"]))


def _literal(value: Any) -> str:
    if isinstance(value, BinaryArray):
        with connection.cursor() as cursor:
            cursor.execute("SELECT format_type(%s, NULL)", [int.from_bytes(value[8:12])])
            (of_elements,) = cursor.fetchone()
            cursor.execute(f"SELECT %s::{of_elements}[]::text", [value])
            (value,) = cursor.fetchone()
    return str(sql.Literal(value).as_string(connection.connection))


def _rows_of(node: dict[str, Any]) -> float:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return (node["Actual Rows"] + removed) * node["Actual Loops"] if "Relation Name" in node else 0


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)
