"""The hub: delivers every event once and in order, even if announcements are lost, doubled or reordered."""

import asyncio
import random

import pytest
from django.db import OperationalError

from realtime.fanout import hub as hub_module
from realtime.fanout import topic
from realtime.fanout.hub import Hub
from realtime.wire.announcements import CloseSockets, EphemeralEvent, RowKey
from realtime.wire.close_codes import CloseCode
from tests.realtime.logs import FakeLog, Gate, reached, settled
from tests.realtime.peers import Peer, sequences
from tests.waiting import until

# --- Delivery -----------------------------------------------------------------------------


async def test_the_next_event_is_delivered_at_once_and_only_once(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    for _ in range(3):
        event = log.commit("c")
        hub.offer([event, event])
        assert hub.topics["c"].filling is None
        await settled(hub)
    assert sequences(ana) == sequences(ben) == [2, 3, 4]
    assert log.reads == []


async def test_all_sockets_share_one_encoded_frame(hub: Hub, log: FakeLog) -> None:
    ben, cleo = (Peer("ben", session, takes_frames=True) for session in ("laptop", "phone"))
    await hub.attach(ben.socket)
    await hub.attach(cleo.socket)
    hub.offer([log.commit("c")])
    assert ben.written[0] is cleo.written[0]


async def test_an_early_event_waits_for_the_events_before_it(hub: Hub, log: FakeLog, ana: Peer) -> None:
    two, three, four = (log.commit("c") for _ in range(3))
    hub.offer([four])
    hub.offer([three])
    assert sequences(ana) == []
    hub.offer([two])
    assert sequences(ana) == [2, 3, 4]
    await settled(hub)
    assert log.reads == [], "reordered announcements need no read"


async def test_a_gap_closed_within_the_grace_needs_no_read(
    hub: Hub, log: FakeLog, ana: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic, "GRACE_SECONDS", 1)
    two, three = (log.commit("c") for _ in range(2))
    hub.offer([three])
    await asyncio.sleep(0.02)
    hub.offer([two])
    await settled(hub)
    assert (sequences(ana), log.reads) == ([2, 3], [])


async def test_an_event_rendered_per_viewer_is_read_without_grace(
    hub: Hub, log: FakeLog, ana: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic, "GRACE_SECONDS", 60)
    hub.offer([log.commit("c", rendered=False)])
    await until(lambda: sequences(ana) == [2])


async def test_a_sweep_during_a_read_starts_no_second_read(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    gate = Gate(log)
    hub.offer_recent(log.recent())
    await reached(gate)
    hub.offer_recent(log.recent())
    gate.let_through()
    await settled(hub)
    assert (sequences(ana), log.reads) == ([2], [("c", 1)])


async def test_an_announced_event_missing_from_the_log_is_not_waited_for(hub: Hub, log: FakeLog, ana: Peer) -> None:
    *_, five = (log.commit("c") for _ in range(4))
    del log.events["c"][3:]
    hub.offer([five])
    await settled(hub)
    assert sequences(ana) == [2, 3]


async def test_events_of_lost_announcements_are_read_from_the_log(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    log.commit("c")
    hub.offer([log.commit("c")])
    await until(lambda: len(ana.frames) == 3)
    assert sequences(ana) == [2, 3, 4]


async def test_a_lost_last_announcement_is_found_by_the_sweep(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    hub.offer_recent(log.recent())
    await until(lambda: sequences(ana) == [2])
    hub.offer_recent(log.recent())
    await settled(hub)
    assert sequences(ana) == [2]


@pytest.mark.parametrize("seed", range(20))
async def test_lost_doubled_and_reordered_announcements_are_repaired(
    seed: int, hub: Hub, log: FakeLog, ana: Peer
) -> None:
    chance = random.Random(seed)
    announcements = [log.commit("c", rendered=chance.random() > 0.2) for _ in range(40)]
    announcements = [announcement for announcement in announcements if chance.random() > 0.3]
    announcements += chance.sample(announcements, len(announcements) // 4)
    announcements.sort(key=lambda announcement: announcement.sequence + chance.uniform(0, 6))
    for announcement in announcements:
        hub.offer([announcement])
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
    assert log.reads == [("c", 1)], "one read shows that nothing else is missing"


async def test_an_event_about_the_time_before_joining_is_hidden(hub: Hub, log: FakeLog, ana: Peer) -> None:
    cleo = Peer("cleo")
    await hub.attach(cleo.socket)
    hub.offer([log.commit("c", joins=["cleo"])])
    hub.offer([log.commit("c", subject=1)])
    hub.offer([log.commit("c")])
    assert sequences(ana) == sequences(cleo) == [2, 3, 4]
    assert cleo.frames[1] == {"type": "event_hidden", "conversation_id": "c", "sequence": 3}
    assert "type" not in ana.frames[1]


@pytest.mark.parametrize("error", [OperationalError("away"), ZeroDivisionError("a bug")])
async def test_events_are_delivered_after_a_failed_read(error: Exception, hub: Hub, log: FakeLog, ana: Peer) -> None:
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


async def test_an_event_announced_during_the_last_read_is_delivered(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    log.commit("c")
    gate = Gate(log, at=2)
    hub.offer([log.commit("c")])
    await reached(gate)  # the second read has found nothing more, but has not returned yet
    hub.offer([log.commit("c", rendered=False)])
    gate.let_through()
    await settled(hub)
    assert sequences(ana) == [2, 3, 4, 5]


async def test_an_early_event_announced_during_a_read_is_delivered(hub: Hub, log: FakeLog, ana: Peer) -> None:
    gate = Gate(log)
    hub.offer([log.commit("c", rendered=False)])
    await reached(gate)
    log.commit("c")
    hub.offer([log.commit("c")])
    gate.let_through()
    await settled(hub)
    assert sequences(ana) == [2, 3, 4]


async def test_a_second_gap_is_read_after_the_first_has_closed(hub: Hub, log: FakeLog, ana: Peer) -> None:
    two, three, four, _, six = (log.commit("c") for _ in range(5))
    hub.offer([four, six, two, three])
    assert sequences(ana) == [2, 3, 4]
    await settled(hub)
    assert sequences(ana) == [2, 3, 4, 5, 6]


async def test_an_event_both_announced_and_read_is_delivered_once(hub: Hub, log: FakeLog, ana: Peer) -> None:
    two, _, four = (log.commit("c") for _ in range(3))
    gate = Gate(log)
    hub.offer([four])
    await reached(gate)  # the read has found all three
    hub.offer([two])
    assert sequences(ana) == [2]
    gate.let_through()
    await settled(hub)
    assert sequences(ana) == [2, 3, 4]


async def test_an_event_rendered_for_some_members_reaches_only_them(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    announcement = log.commit("c", rendered=False)
    del log.events["c"][-1].texts["ben"]  # Ben has left, which the next event of the log will say
    hub.offer([announcement])
    await settled(hub)
    assert (sequences(ana), sequences(ben)) == ([2], [])
    hub.offer([log.commit("c")])
    assert sequences(ana) == [2, 3]


async def test_a_viewers_own_frame_is_preferred_to_the_shared_one(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    announcement = log.commit("c", rendered=False)
    event = log.events["c"][-1]
    event.text, event.texts = '{"n":"hidden"}', {"ana": '{"n":"own"}'}
    hub.offer([announcement])
    await settled(hub)
    assert (ana.texts, ben.texts) == (['{"n":"own"}'], ['{"n":"hidden"}'])


# --- Ephemeral events and ended sessions ---------------------------------------------------


async def test_an_ephemeral_event_reaches_its_recipients_once(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben, stranger = Peer("ben"), Peer("stranger")
    tablet = Peer("ana", "tablet")
    for peer in (ben, stranger, tablet):
        await hub.attach(peer.socket)
    announcements: list[tuple[EphemeralEvent, list[Peer]]] = [
        (EphemeralEvent('{"n":1}', conversation_id="c"), [ana, tablet, ben]),
        (EphemeralEvent('{"n":2}', user_ids=["stranger", "nobody"]), [stranger]),
        (EphemeralEvent('{"n":3}', conversation_id="c", user_ids=["ben", "stranger"]), [ben]),
        (EphemeralEvent('{"n":4}', user_ids=["ana"], except_session="tablet"), [ana]),
        (EphemeralEvent('{"n":5}', conversation_id="unknown"), []),
        (EphemeralEvent('{"n":6}', conversation_id="c", row_key=RowKey("receipt:7")), [ana, tablet, ben]),
        (EphemeralEvent('{"n":7}', conversation_id="c", except_users=["ana"]), [ben]),
    ]
    for number, (event, expected) in enumerate(announcements, start=1):
        hub.offer([event])
        if event.row_key is not None:
            assert hub.has_seen(event.row_key)
            hub.offer([event])
        for peer in (ana, tablet, ben, stranger):
            assert peer.texts.count(f'{{"n":{number}}}') == (peer in expected)


async def test_the_oldest_seen_rows_are_forgotten_first(
    hub: Hub, log: FakeLog, ana: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SEEN_ROWS", 2)
    for row in (1, 2, 1, 3):
        hub.offer([EphemeralEvent(f'{{"n":{row}}}', conversation_id="c", row_key=RowKey(f"receipt:{row}"))])
    assert [frame["n"] for frame in ana.frames] == [1, 2, 3]
    assert [hub.has_seen(RowKey(f"receipt:{row}")) for row in (1, 2, 3)] == [False, True, True]


async def test_an_ended_session_closes_only_its_sockets(hub: Hub, log: FakeLog) -> None:
    phone, tablet, ben = Peer("ana", "phone"), Peer("ana", "tablet"), Peer("ben")
    for peer in (phone, tablet, ben):
        await hub.attach(peer.socket)
    hub.offer(
        [
            CloseSockets(
                CloseCode.REPLACED, user_id="ana", session_id="phone", except_connection=phone.socket.connection_id
            )
        ]
    )
    assert not phone.socket.closing
    hub.offer([CloseSockets(CloseCode.REVOKED, user_id="ana", session_id="phone")])
    assert await phone.closed() == CloseCode.REVOKED
    assert not tablet.socket.closing
    assert not ben.socket.closing
