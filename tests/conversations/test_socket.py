"""Conversations as read by the socket (catch-up in pages) and by the hub (the log)."""

import asyncio
from typing import Any

import msgspec
import pytest

from conversations import catch_up, frames, services
from conversations.event_kinds import PARTICIPANT_ADDED
from conversations.log_reader import ConversationLog
from conversations.models import Event
from conversations.selectors import events_between
from conversations.selectors.rendering import render_events
from conversations.socket import sync
from realtime.database.look_back import LookBack
from realtime.database.threads import in_database_thread
from realtime.wire.frames import EventHidden
from tests.making import direct, group, people, say
from tests.realtime.peers import Peer

# --- Catch-up -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_threads")
async def test_all_pages_are_sent_before_sync_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.socket.FIRST_PAGE", 3)

    def talks() -> tuple[str, dict[Any, int]]:
        ana, *others = people("ana", "ben", "cleo", "dan")
        cursors = {}
        for other in others:
            talk = direct(ana, other)
            for text in ("one", "two"):
                say(talk, other, text)
            cursors[talk.id] = 1
        lost = direct(ana, people("eve")[0])
        cursors[lost.id] = 7
        return str(ana.id), cursors

    ana_id, cursors = await in_database_thread(talks)
    ana = Peer(ana_id)
    await sync(ana.socket, frames.Sync(cursors=cursors, id="7"))
    *events, complete = ana.frames
    received = [(frame["conversation_id"], frame["message"]["content"]) for frame in events]
    lost = list(cursors)[-1]
    assert sorted(received) == sorted((str(id), text) for id in cursors if id != lost for text in ("one", "two"))
    assert (complete["type"], complete["id"]) == ("sync_complete", "7")
    assert complete["resync"] == [str(lost)]
    assert complete["heads"] == {str(id): 3 if id != lost else 1 for id in cursors}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_threads")
async def test_sync_complete_heads_exclude_events_written_between_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.socket.FIRST_PAGE", 2)

    def talks() -> tuple[Any, list[Any]]:
        ana, *others = people("ana", "ben", "cleo")
        talks = [direct(ana, other) for other in others]
        for talk, other in zip(talks, others, strict=True):
            for text in ("one", "two"):
                say(talk, other, text)
        return ana, talks

    ana, both = await in_database_thread(talks)
    pages, real_missed = [], catch_up.missed

    def missed(*arguments: Any, **options: Any) -> catch_up.Missed:
        found = real_missed(*arguments, **options)
        pages.append(found)
        if len(pages) == 1:  # write into the conversation that this page has finished
            [behind] = found.remaining
            say(next(talk for talk in both if talk.id != behind), ana, "three")
        return found

    monkeypatch.setattr("conversations.socket.catch_up.missed", missed)
    peer = Peer(str(ana.id))
    await sync(peer.socket, frames.Sync(cursors={talk.id: 1 for talk in both}))
    *events, complete = peer.frames
    assert len(pages) == 2
    assert len(events) == 4
    assert complete["heads"] == {str(talk.id): 3 for talk in both}


@pytest.fixture
def page_limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size limits of the pages that were read, in order."""
    page_limits: list[int] = []
    real = catch_up.missed

    def missed(*arguments: Any, most: int) -> catch_up.Missed:
        page_limits.append(most)
        return real(*arguments, most=most)

    monkeypatch.setattr("conversations.socket.catch_up.missed", missed)
    return page_limits


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_threads")
@pytest.mark.parametrize(
    ("text", "most"),
    [
        pytest.param("x", [4, 12, 12], id="small messages, larger pages"),
        pytest.param("x" * 8_000, [4, 1, 1, 1], id="large messages, smaller pages"),
    ],
)
async def test_page_size_adapts_to_the_bytes_of_the_page_before(
    text: str, most: list[int], page_limits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FIRST_PAGE", 4), ("LARGEST_PAGE", 12), ("PAGE_BYTES", 10_000)):
        monkeypatch.setattr(f"conversations.socket.{name}", value)
    ana, talk, number = await in_database_thread(_long_talk, text, sum(most))
    peer = Peer(ana)
    await sync(peer.socket, frames.Sync(cursors={talk: 1}))
    assert page_limits == most
    assert [frame["sequence"] for frame in peer.frames[:-1]] == list(range(2, number + 2))


def _long_talk(text: str, number: int) -> tuple[str, Any, int]:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    for _ in range(number):
        say(talk, ben, text)
    return str(ana.id), talk.id, number


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_threads")
async def test_no_page_is_read_while_the_client_does_not_read(
    page_limits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations.socket.FIRST_PAGE", 4)
    monkeypatch.setattr("conversations.socket.LARGEST_PAGE", 4)
    ana, talk, _ = await in_database_thread(_long_talk, "hi", 10)
    peer = Peer(ana)
    peer.stops_reading()
    syncing = asyncio.create_task(sync(peer.socket, frames.Sync(cursors={talk: 1})))
    await asyncio.sleep(0.3)
    assert page_limits == [4]
    await peer.reads(11)
    await asyncio.wait_for(syncing, 5)
    assert [frame["type"] for frame in peer.frames] == ["new_message"] * 10 + ["sync_complete"]


# --- The log, as the hub reads it ---------------------------------------------------------


@pytest.mark.django_db
def test_joins_and_leaves_come_with_their_events() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    team = group(ana, ben)
    came = services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[cleo.id])
    services.leave(user_id=ben.id, conversation_id=team.id)
    log = ConversationLog().read(str(team.id), after=0, viewers=[str(ana.id), str(ben.id)])
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    joins = {event.sequence: event.joins for event in log if event.joins}
    # Ben joined with the first event but has left: a late reader of that event must not admit him.
    assert joins == {1: {str(ana.id): 1}, came[0].history_from: {str(cleo.id): came[0].history_from}}
    [(left, leaves)] = [(event, event.leaves) for event in log if event.leaves]
    assert leaves == [str(ben.id)]
    assert msgspec.json.decode(left.text or "")["type"] == "participant_removed"


@pytest.mark.django_db
def test_recent_joins_exclude_older_members() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    log = ConversationLog()
    log.recent()
    team = group(ana, ben)
    assert log.recent().joins == {str(team.id): {str(ana.id): 1, str(ben.id): 1}}
    later = ConversationLog()
    later._look_back = LookBack(first=0)
    later._look_back.floor(Event.objects.latest("id").id)
    services.add_participants(user_id=ana.id, conversation_id=team.id, user_ids=[cleo.id])
    came = Event.objects.get(kind=PARTICIPANT_ADDED.name)
    assert later.recent().joins == {str(team.id): {str(cleo.id): came.sequence}}


@pytest.mark.django_db
def test_a_conversation_event_is_rendered_for_members_only() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    talk = direct(ana, ben)
    [created] = ConversationLog().read(str(talk.id), after=0, viewers=[str(user.id) for user in (ana, ben, cleo)])
    assert created.text is None
    names = {user: msgspec.json.decode(text)["conversation"]["display_name"] for user, text in created.texts.items()}
    assert names == {str(ana.id): "ben", str(ben.id): "ana"}


@pytest.mark.django_db
def test_the_creation_event_is_hidden_from_a_former_member() -> None:
    ana, ben = people("ana", "ben")
    team = group(ana, ben)
    services.leave(user_id=ben.id, conversation_id=team.id)
    [created] = events_between({team.id: (0, 1)})
    hidden = EventHidden(conversation_id=str(team.id), sequence=1)
    assert render_events([created], ben.id) == {created.id: hidden}
    with pytest.raises(RuntimeError, match="each viewer"):
        render_events([created], None)
