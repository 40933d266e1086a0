"""The hub: every event once and in order, whatever becomes of the wake-ups."""

import asyncio
import random

import pytest
from django.db import OperationalError

from realtime.fanout import hub as hub_module
from realtime.fanout import sockets, topic
from realtime.fanout.hub import Hub
from realtime.wire.items import Ended, Notice, RowKey
from tests.realtime.logs import FakeLog, Gate, reached, settled
from tests.realtime.peers import Peer, sequences
from tests.waiting import until

# --- Delivery -----------------------------------------------------------------------------


async def test_what_follows_is_passed_on_at_once_and_never_twice(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    for _ in range(3):
        event = log.commit("c")
        hub.offer([event, event])
        assert hub.topics["c"].filling is None
        await settled(hub)
    assert sequences(ana) == sequences(ben) == [2, 3, 4]
    assert log.reads == []


async def test_one_frame_is_made_for_all_sockets(hub: Hub, log: FakeLog) -> None:
    ben, cleo = (Peer("ben", session, takes_frames=True) for session in ("laptop", "phone"))
    await hub.attach(ben.socket)
    await hub.attach(cleo.socket)
    hub.offer([log.commit("c")])
    assert ben.written[0] is cleo.written[0]


async def test_what_comes_early_waits_for_what_lies_between(hub: Hub, log: FakeLog, ana: Peer) -> None:
    two, three, four = (log.commit("c") for _ in range(3))
    hub.offer([four])
    hub.offer([three])
    assert sequences(ana) == []
    hub.offer([two])
    assert sequences(ana) == [2, 3, 4]
    await settled(hub)
    assert log.reads == [], "what only overtook each other needs no database"


async def test_within_the_grace_nothing_is_read(
    hub: Hub, log: FakeLog, ana: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic, "GRACE_SECONDS", 1)
    two, three = (log.commit("c") for _ in range(2))
    hub.offer([three])
    await asyncio.sleep(0.02)
    hub.offer([two])
    await settled(hub)
    assert (sequences(ana), log.reads) == ([2, 3], [])


async def test_what_is_to_be_rendered_for_each_viewer_waits_for_no_grace(
    hub: Hub, log: FakeLog, ana: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic, "GRACE_SECONDS", 60)
    hub.offer([log.commit("c", rendered=False)])
    await until(lambda: sequences(ana) == [2])


async def test_one_look_at_a_time_is_enough(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    gate = Gate(log)
    hub.offer_recent(log.recent())
    await reached(gate)
    hub.offer_recent(log.recent())
    gate.let_through()
    await settled(hub)
    assert (sequences(ana), log.reads) == ([2], [("c", 1)])


async def test_what_was_announced_and_is_not_in_the_log_is_not_waited_for(hub: Hub, log: FakeLog, ana: Peer) -> None:
    *_, five = (log.commit("c") for _ in range(4))
    del log.events["c"][3:]
    hub.offer([five])
    await settled(hub)
    assert sequences(ana) == [2, 3]


async def test_what_was_lost_is_read(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    log.commit("c")
    hub.offer([log.commit("c")])
    await until(lambda: len(ana.frames) == 3)
    assert sequences(ana) == [2, 3, 4]


async def test_a_lost_last_event_is_found_by_the_sweep(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    hub.offer_recent(log.recent())
    await until(lambda: sequences(ana) == [2])
    hub.offer_recent(log.recent())
    await settled(hub)
    assert sequences(ana) == [2]


@pytest.mark.parametrize("seed", range(20))
async def test_any_loss_doubling_and_reordering_heals(seed: int, hub: Hub, log: FakeLog, ana: Peer) -> None:
    chance = random.Random(seed)
    wake_ups = [log.commit("c", rendered=chance.random() > 0.2) for _ in range(40)]
    wake_ups = [wake_up for wake_up in wake_ups if chance.random() > 0.3]
    wake_ups += chance.sample(wake_ups, len(wake_ups) // 4)
    wake_ups.sort(key=lambda wake_up: wake_up.sequence + chance.uniform(0, 6))
    for wake_up in wake_ups:
        hub.offer([wake_up])
        if chance.random() < 0.3:
            await asyncio.sleep(0.001)
    await settled(hub)
    hub.offer_recent(log.recent())
    await until(lambda: len(ana.frames) == 40)
    assert sequences(ana) == list(range(2, 42))


async def test_each_viewer_gets_their_own_rendering(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    hub.offer([log.commit("c", rendered=False)])
    await until(lambda: len(ana.frames) + len(ben.frames) == 2)
    assert [ana.frames[0]["for"], ben.frames[0]["for"]] == ["ana", "ben"]
    await settled(hub)
    assert log.reads == [("c", 1)], "one look tells that nothing else is missing"


async def test_what_is_about_the_time_before_somebody_came_is_hidden_from_them(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    cleo = Peer("cleo")
    await hub.attach(cleo.socket)
    hub.offer([log.commit("c", joins=["cleo"])])
    hub.offer([log.commit("c", subject=1)])
    hub.offer([log.commit("c")])
    assert sequences(ana) == sequences(cleo) == [2, 3, 4]
    assert cleo.frames[1] == {"type": "event_hidden", "conversation_id": "c", "sequence": 3}
    assert "type" not in ana.frames[1]


@pytest.mark.parametrize("error", [OperationalError("away"), ZeroDivisionError("a bug")])
async def test_a_database_that_fails_loses_nothing(error: Exception, hub: Hub, log: FakeLog, ana: Peer) -> None:
    def fail() -> None:
        raise error

    log.before_answering = fail
    log.commit("c")
    hub.offer([log.commit("c")])
    await settled(hub)
    assert sequences(ana) == []
    log.before_answering = lambda: None
    hub.offer_recent(log.recent())
    await until(lambda: sequences(ana) == [2, 3])


async def test_what_arrives_during_the_last_look_at_the_log_is_not_forgotten(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    log.commit("c")
    gate = Gate(log, at=2)
    hub.offer([log.commit("c")])
    await reached(gate)  # the second look has found nothing more, and has not said so yet
    hub.offer([log.commit("c", rendered=False)])
    gate.let_through()
    await settled(hub)
    assert sequences(ana) == [2, 3, 4, 5]


async def test_what_arrives_early_during_a_look_that_found_one_event_is_not_forgotten(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    gate = Gate(log)
    hub.offer([log.commit("c", rendered=False)])
    await reached(gate)
    log.commit("c")
    hub.offer([log.commit("c")])
    gate.let_through()
    await settled(hub)
    assert sequences(ana) == [2, 3, 4]


async def test_what_is_still_missing_when_the_first_gap_has_closed_is_read(hub: Hub, log: FakeLog, ana: Peer) -> None:
    two, three, four, _, six = (log.commit("c") for _ in range(5))
    hub.offer([four, six, two, three])
    assert sequences(ana) == [2, 3, 4]
    await settled(hub)
    assert sequences(ana) == [2, 3, 4, 5, 6]


async def test_what_arrives_during_a_look_at_the_log_and_is_found_by_it_comes_once(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    two, _, four = (log.commit("c") for _ in range(3))
    gate = Gate(log)
    hub.offer([four])
    await reached(gate)  # the look has found all three
    hub.offer([two])
    assert sequences(ana) == [2]
    gate.let_through()
    await settled(hub)
    assert sequences(ana) == [2, 3, 4]


async def test_what_was_rendered_for_some_members_reaches_these(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    wake_up = log.commit("c", rendered=False)
    del log.events["c"][-1].texts["ben"]  # he left a moment ago, which the log will say next
    hub.offer([wake_up])
    await settled(hub)
    assert (sequences(ana), sequences(ben)) == ([2], [])
    hub.offer([log.commit("c")])
    assert sequences(ana) == [2, 3]


async def test_who_has_a_frame_of_their_own_gets_that_and_the_others_the_shared_one(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    wake_up = log.commit("c", rendered=False)
    event = log.events["c"][-1]
    event.text, event.texts = '{"n":"hidden"}', {"ana": '{"n":"own"}'}
    hub.offer([wake_up])
    await settled(hub)
    assert (ana.texts, ben.texts) == (['{"n":"own"}'], ['{"n":"hidden"}'])


# --- Notices and ends ---------------------------------------------------------------------


async def test_a_notice_reaches_those_it_names_once(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben, stranger = Peer("ben"), Peer("stranger")
    tablet = Peer("ana", "tablet")
    for peer in (ben, stranger, tablet):
        await hub.attach(peer.socket)
    notices: list[tuple[Notice, list[Peer]]] = [
        (Notice('{"n":1}', conversation_id="c"), [ana, tablet, ben]),
        (Notice('{"n":2}', user_ids=["stranger", "nobody"]), [stranger]),
        (Notice('{"n":3}', conversation_id="c", user_ids=["ben", "stranger"]), [ben]),
        (Notice('{"n":4}', user_ids=["ana"], except_session="tablet"), [ana]),
        (Notice('{"n":5}', conversation_id="unknown"), []),
        (Notice('{"n":6}', conversation_id="c", row_key=RowKey("receipt:7")), [ana, tablet, ben]),
        (Notice('{"n":7}', conversation_id="c", except_users=["ana"]), [ben]),
    ]
    for number, (notice, expected) in enumerate(notices, start=1):
        hub.offer([notice])
        if notice.row_key is not None:
            assert hub.has_seen(notice.row_key)
            hub.offer([notice])
        for peer in (ana, tablet, ben, stranger):
            assert peer.texts.count(f'{{"n":{number}}}') == (peer in expected)


async def test_of_the_rows_that_were_told_the_oldest_are_forgotten_first(
    hub: Hub, log: FakeLog, ana: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SEEN_ROWS", 2)
    for row in (1, 2, 1, 3):
        hub.offer([Notice(f'{{"n":{row}}}', conversation_id="c", row_key=RowKey(f"receipt:{row}"))])
    assert [frame["n"] for frame in ana.frames] == [1, 2, 3]
    assert [hub.has_seen(RowKey(f"receipt:{row}")) for row in (1, 2, 3)] == [False, True, True]


async def test_an_end_closes_the_sockets_it_means(hub: Hub, log: FakeLog) -> None:
    phone, tablet, ben = Peer("ana", "phone"), Peer("ana", "tablet"), Peer("ben")
    for peer in (phone, tablet, ben):
        await hub.attach(peer.socket)
    hub.offer(
        [Ended(sockets.REPLACED, user_id="ana", session_id="phone", except_connection=phone.socket.connection_id)]
    )
    assert not phone.socket.closing
    hub.offer([Ended(sockets.REVOKED, user_id="ana", session_id="phone")])
    assert await phone.closed() == sockets.REVOKED
    assert not tablet.socket.closing
    assert not ben.socket.closing
