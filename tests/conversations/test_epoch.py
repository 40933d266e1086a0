"""The epoch of the log: it changes once when the database's history fork, and cursors of another epoch are void."""

import uuid
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from conversations import catch_up, epoch, selectors
from conversations.errors import ResyncRequired
from conversations.frames import EventsQuery
from conversations.models import Conversation, Epoch
from tests.making import at_once, direct, people, person, read, say

pytestmark = pytest.mark.django_db


def fork() -> None:
    """Make the database look like another one than that in which the epoch began."""
    Epoch.objects.update(origin="elsewhere")


def test_the_epoch_stays_while_the_database_is_the_same() -> None:
    assert epoch.current() == epoch.current() == str(Epoch.objects.get())


def test_a_forked_history_begins_one_new_epoch() -> None:
    before = epoch.current()
    fork()
    after = epoch.current()
    assert after != before
    assert epoch.current() == after


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [True, False])
def test_concurrent_readers_begin_one_epoch(known: bool) -> None:
    if known:
        epoch.current()
        fork()
    found = at_once([epoch.current] * 8)
    assert found == [str(Epoch.objects.get().epoch)] * 8


def test_the_begin_epoch_command_begins_a_new_epoch() -> None:
    before, output = epoch.current(), StringIO()
    call_command("begin_epoch", stdout=output)
    assert epoch.current() != before
    assert epoch.current() in output.getvalue()
    call_command("begin_epoch", stdout=output)
    assert Epoch.objects.count() == 1


@pytest.mark.parametrize("part", range(4))
def test_a_change_of_any_part_of_the_origin_begins_an_epoch(part: int) -> None:
    """Cluster, timeline, database, table: a standby changes one, a base backup another, a dump the others."""
    before = epoch.current()
    parts = Epoch.objects.get().origin.split("/")
    assert len(parts) == 4
    parts[part] = "7"
    Epoch.objects.update(origin="/".join(parts))
    assert epoch.current() != before


def test_the_origin_matches_what_postgresql_reports() -> None:
    epoch.current()
    cluster, timeline, database, table = Epoch.objects.get().origin.split("/")
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()")
        assert cursor.fetchone() == (int(cluster), int(timeline, 16))
        cursor.execute("SELECT tableoid FROM conversations_epoch")
        assert cursor.fetchone() == (int(table),)
        cursor.execute("SELECT datname FROM pg_database WHERE oid = %s", [int(database)])
        assert cursor.fetchone() == (connection.settings_dict["NAME"],)


def test_heads_without_conversations_still_give_the_epoch() -> None:
    assert selectors.heads_of(person("ana").id) == (epoch.current(), {})


# --- Catching up --------------------------------------------------------------------------


def test_cursors_of_another_epoch_give_only_resync() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    even, behind, foreign = direct(ana, ben), direct(ana, cleo), direct(ben, cleo)
    say(behind, cleo)
    read(behind, cleo, say(behind, ana).sequence)
    cursors = {even.id: 1, behind.id: 1, foreign.id: 1}
    since = timezone.now()
    current = uuid.UUID(epoch.current())

    same_epoch = catch_up.missed(ana.id, cursors, since, current)
    assert (same_epoch.epoch, same_epoch.resync, list(same_epoch.events)) == (str(current), [], [str(behind.id)])
    assert same_epoch.receipts
    other_epoch = catch_up.missed(ana.id, cursors, since, uuid.uuid4())
    assert (other_epoch.epoch, other_epoch.events, other_epoch.receipts, other_epoch.remaining) == (
        str(current),
        {},
        [],
        {},
    )
    assert sorted(other_epoch.resync) == sorted(other_epoch.heads) == sorted([str(even.id), str(behind.id)])
    without_epoch = catch_up.missed(ana.id, cursors, since)
    assert (without_epoch.epoch, without_epoch.resync, without_epoch.events) == (str(current), [], same_epoch.events)


def test_a_page_for_another_epoch_requires_resync() -> None:
    ana, ben = people("ana", "ben")
    talk: Conversation = direct(ana, ben)
    current = uuid.UUID(epoch.current())
    assert catch_up.events_page(ana.id, talk.id, EventsQuery(epoch=current)).events
    with pytest.raises(ResyncRequired):
        catch_up.events_page(ana.id, talk.id, EventsQuery(epoch=uuid.uuid4()))
