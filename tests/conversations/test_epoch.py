"""The epoch of the log: it ends with the history of the database, once, and cursors of another one say nothing."""

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


def forks() -> None:
    """Let the database be another one than that in which the epoch began."""
    Epoch.objects.update(origin="elsewhere")


def test_an_epoch_lasts_while_the_database_is_the_same() -> None:
    assert epoch.current() == epoch.current() == str(Epoch.objects.get())


def test_another_one_begins_where_the_history_forked() -> None:
    before = epoch.current()
    forks()
    after = epoch.current()
    assert after != before
    assert epoch.current() == after


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [True, False])
def test_of_many_who_see_it_at_once_one_begins_it(known: bool) -> None:
    if known:
        epoch.current()
        forks()
    found = at_once([epoch.current] * 8)
    assert found == [str(Epoch.objects.get().epoch)] * 8


def test_a_restore_that_the_database_does_not_know_of_is_said_by_a_command() -> None:
    before, said = epoch.current(), StringIO()
    call_command("begin_epoch", stdout=said)
    assert epoch.current() != before
    assert epoch.current() in said.getvalue()
    call_command("begin_epoch", stdout=said)
    assert Epoch.objects.count() == 1


@pytest.mark.parametrize("part", range(4))
def test_every_part_of_the_origin_counts(part: int) -> None:
    """Cluster, timeline, database, table: a standby changes one, a base backup another, a dump the others."""
    before = epoch.current()
    parts = Epoch.objects.get().origin.split("/")
    assert len(parts) == 4
    parts[part] = "7"
    Epoch.objects.update(origin="/".join(parts))
    assert epoch.current() != before


def test_the_origin_is_what_the_database_says_of_itself() -> None:
    epoch.current()
    cluster, timeline, database, table = Epoch.objects.get().origin.split("/")
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()")
        assert cursor.fetchone() == (int(cluster), int(timeline, 16))
        cursor.execute("SELECT tableoid FROM conversations_epoch")
        assert cursor.fetchone() == (int(table),)
        cursor.execute("SELECT datname FROM pg_database WHERE oid = %s", [int(database)])
        assert cursor.fetchone() == (connection.settings_dict["NAME"],)


def test_who_is_in_no_conversation_is_told_the_epoch() -> None:
    assert selectors.heads_of(person("ana").id) == (epoch.current(), {})


# --- Catching up --------------------------------------------------------------------------


def test_cursors_of_another_epoch_bring_nothing_but_the_order_to_load_anew() -> None:
    ana, ben, cleo = people("ana", "ben", "cleo")
    even, behind, foreign = direct(ana, ben), direct(ana, cleo), direct(ben, cleo)
    say(behind, cleo)
    read(behind, cleo, say(behind, ana).sequence)
    cursors = {even.id: 1, behind.id: 1, foreign.id: 1}
    since = timezone.now()
    mine = uuid.UUID(epoch.current())

    here = catch_up.missed(ana.id, cursors, since, mine)
    assert (here.epoch, here.resync, list(here.events)) == (str(mine), [], [str(behind.id)])
    assert here.receipts
    there = catch_up.missed(ana.id, cursors, since, uuid.uuid4())
    assert (there.epoch, there.events, there.receipts, there.remaining) == (str(mine), {}, [], {})
    assert sorted(there.resync) == sorted(there.heads) == sorted([str(even.id), str(behind.id)])
    unsaid = catch_up.missed(ana.id, cursors, since)
    assert (unsaid.epoch, unsaid.resync, unsaid.events) == (str(mine), [], here.events)


def test_a_page_of_events_of_another_epoch_cannot_be_given() -> None:
    ana, ben = people("ana", "ben")
    talk: Conversation = direct(ana, ben)
    mine = uuid.UUID(epoch.current())
    assert catch_up.events_page(ana.id, talk.id, EventsQuery(epoch=mine)).events
    with pytest.raises(ResyncRequired):
        catch_up.events_page(ana.id, talk.id, EventsQuery(epoch=uuid.uuid4()))
