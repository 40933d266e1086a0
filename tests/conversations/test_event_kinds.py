"""A kind of event is declared by its app alone: neither this app nor its tables know it before."""

from collections.abc import Collection, Iterator, Sequence
from importlib import import_module
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import transaction
from django.utils.module_loading import module_has_submodule

from conversations import catch_up, event_log
from conversations.event_kinds import EventKind
from conversations.event_registry import EventRegistry, EventRow, event_registry
from conversations.frames import EventsQuery
from conversations.log_reader import ConversationLog
from conversations.models import Conversation, Event
from realtime.database.threads import in_database_thread
from realtime.fanout.hub import Hub
from realtime.registry import NotRegistered, registry
from realtime.wire.bodies import Body
from tests.making import direct, people
from tests.realtime.peers import Peer, sequences
from tests.waiting import until

POLL_CLOSED = EventKind("poll_closed")
BALLOT_COUNTED = EventKind("ballot_counted", per_viewer=True)
REMINDER_SET = EventKind("reminder_set", private=True)


class PollClosed(Body, tag_field="type", tag="poll_closed", kw_only=True):
    """No `Frame`: it would be one of the frames of this process, and in its AsyncAPI document."""

    conversation_id: str
    sequence: int
    seen_by: str


@pytest.fixture(autouse=True)
def _known_here_only() -> Iterator[None]:
    """The kinds of this file, declared as an app declares its own, until the test ends."""
    tables = (event_registry.kinds, event_registry._renderers, event_registry._member_renderers)
    before = [dict(table) for table in tables]

    @event_registry.renders(POLL_CLOSED, BALLOT_COUNTED, REMINDER_SET)
    def render(events: Sequence[EventRow], viewer: UUID | None) -> dict[int, Any]:
        return {event.id: _frame(event, str(viewer or "everybody")) for event in events}

    @event_registry.renders_for_members(BALLOT_COUNTED)
    def render_for_members(event: EventRow, user_ids: Collection[str]) -> dict[str, Any]:
        return {user_id: _frame(event, user_id) for user_id in user_ids}

    yield
    for table, was in zip(tables, before, strict=True):
        table.clear()
        table.update(was)


def _frame(event: Any, seen_by: str) -> PollClosed:
    return PollClosed(conversation_id=str(event.conversation_id), sequence=event.sequence, seen_by=seen_by)


def _happens(kind: EventKind, conversation: Conversation, *, user_id: UUID | None = None) -> event_log.Entry:
    """Write an event as a service does."""
    with transaction.atomic():
        locked = Conversation.objects.select_for_update().get(id=conversation.id)
        entry = event_log.take(locked, kind, at=locked.created_at, user_id=user_id)
        if not (kind.per_viewer or kind.private):
            entry.frame = PollClosed(  # type: ignore[assignment]
                conversation_id=str(locked.id), sequence=entry.sequence, seen_by="everybody"
            )
        event_log.append([entry])
    return entry


def _read(text: str | None) -> dict[str, Any]:
    assert text is not None
    return msgspec.json.decode(text)  # type: ignore[no-any-return]


@pytest.mark.django_db
def test_a_kind_that_a_test_declares_goes_through_log_hub_and_catch_up() -> None:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    entry = _happens(POLL_CLOSED, talk)
    shown = {"type": "poll_closed", "conversation_id": str(talk.id), "sequence": 2, "seen_by": "everybody"}

    [announced] = event_log.announcements([entry])
    [logged] = ConversationLog().read(str(talk.id), after=1, viewers=[str(ana.id)])
    assert _read(announced.text) == _read(logged.text) == shown

    page = catch_up.events_page(ana.id, talk.id, EventsQuery(after=1))
    missed = catch_up.missed(ben.id, {talk.id: 1}, None)
    assert [frame.seen_by for frame in page.events] == [str(ana.id)]
    assert [frame.seen_by for frame in missed.events[str(talk.id)]] == [str(ben.id)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_threads")
async def test_the_hub_brings_each_member_what_the_kind_says() -> None:
    ana, ben = await in_database_thread(people, "ana", "ben")
    talk = await in_database_thread(direct, ana, ben)
    hub, peers = Hub(), (Peer(str(ana.id)), Peer(str(ben.id)))
    for peer in peers:
        await hub.attach(peer.socket)
    for kind in (POLL_CLOSED, BALLOT_COUNTED, REMINDER_SET):
        entry = await in_database_thread(_happens, kind, talk, user_id=ben.id)
        hub.offer(event_log.announcements([entry]))
        for peer in peers:
            await until(lambda peer=peer, entry=entry: entry.sequence in sequences(peer))
    heard = [[(frame["type"], frame.get("seen_by")) for frame in peer.frames] for peer in peers]
    of_ana = [("poll_closed", "everybody"), ("poll_closed", str(ana.id)), ("event_hidden", None)]
    of_ben = [("poll_closed", "everybody"), ("poll_closed", str(ben.id)), ("poll_closed", str(ben.id))]
    assert heard == [of_ana, of_ben]


@pytest.mark.django_db
def test_a_kind_of_a_later_release_is_hidden() -> None:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    _happens(EventKind("unheard_of"), talk)
    [logged] = registry.log.read(str(talk.id), after=1, viewers=[str(ana.id)])
    hidden = {"type": "event_hidden", "conversation_id": str(talk.id), "sequence": 2}
    assert _read(logged.text) == hidden
    [frame] = catch_up.missed(ana.id, {talk.id: 1}, None).events[str(talk.id)]
    assert msgspec.to_builtins(frame) == hidden


@pytest.mark.django_db
def test_a_kind_that_is_a_message_counts_as_the_newest_and_another_does_not() -> None:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    _happens(POLL_CLOSED, talk)
    _happens(EventKind("voice_message", is_message=True), talk)
    _happens(POLL_CLOSED, talk)
    talk.refresh_from_db()
    assert (talk.last_sequence, talk.last_message_sequence) == (4, 3)
    assert list(Event.objects.values_list("kind", flat=True).order_by("sequence")) == [
        "conversation_created", "poll_closed", "voice_message", "poll_closed",
    ]  # fmt: skip


def test_a_kind_that_is_declared_twice_or_has_too_long_a_name_is_refused() -> None:
    with pytest.raises(RuntimeError, match="poll_closed is declared twice"):
        event_registry.renders(POLL_CLOSED)(lambda *_: {})
    with pytest.raises(ValueError, match="at most 32"):
        EventKind("x" * 33)


def test_every_kind_of_an_app_has_a_renderer_and_those_per_viewer_have_both() -> None:
    declared = []
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "event_kinds"):
            module = import_module(f"{app.name}.event_kinds")
            declared += [value for value in vars(module).values() if isinstance(value, EventKind)]
    assert {kind.name for kind in declared} >= {"new_message", "conversation_created"}
    for kind in declared:
        assert event_registry.kinds.get(kind.name) == kind, f"{kind.name} has no renderer"
        assert kind.per_viewer == (kind.name in event_registry._member_renderers), kind.name


@pytest.mark.django_db
def test_the_tables_know_no_kinds() -> None:
    assert Event._meta.get_field("kind").choices is None
    call_command("makemigrations", "conversations", "--check", "--dry-run")


def test_what_no_app_has_registered_is_named() -> None:
    empty = EventRegistry()
    with pytest.raises(NotRegistered, match="provides_messages"):
        empty.messages_at([(UUID(int=1), 1)], None)
    with pytest.raises(NotRegistered, match="provides_receipts"):
        empty.receipts_since(UUID(int=1), [UUID(int=1)], None)  # type: ignore[arg-type]
    with pytest.raises(NotRegistered, match="renders_for_members"):
        empty.rendered_for_members(EventRow(1, UUID(int=1), 1, "poll_closed", 1, None, None), [])
