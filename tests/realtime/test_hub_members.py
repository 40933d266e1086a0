"""The hub: users who join, leave, are added and are removed, also while they sign in."""

import asyncio
import zlib

import pytest

from realtime.fanout.hub import Hub
from realtime.registry import Recent
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.close_codes import CloseCode
from tests.realtime.logs import FakeLog, Gate, reached, settled
from tests.realtime.peers import Peer, sequences
from tests.waiting import DEADLINE, until


async def test_a_new_participant_gets_the_join_and_later_events(hub: Hub, log: FakeLog, ana: Peer) -> None:
    cleo = Peer("cleo")
    await hub.attach(cleo.socket)
    hub.offer([log.commit("c"), log.commit("c", joins=["cleo"]), log.commit("c")])
    assert sequences(cleo) == [3, 4]
    assert sequences(ana) == [2, 3, 4]


async def test_ephemeral_events_reach_a_new_participant_before_the_join(hub: Hub, log: FakeLog, ana: Peer) -> None:
    cleo = Peer("cleo")
    await hub.attach(cleo.socket)
    hub.offer([log.commit("c", joins=["cleo"], rendered=False)])
    hub.offer([EphemeralEvent('{"typing":true}', conversation_id="c")])
    assert cleo.frames == [{"typing": True}]
    await settled(hub)
    assert [frame["sequence"] for frame in cleo.frames[1:]] == [2]


async def test_a_new_conversation_reaches_its_connected_participants(hub: Hub, log: FakeLog, ana: Peer) -> None:
    hub.offer([log.commit("new", joins=["ana", "dan"], rendered=False)])
    await until(lambda: len(ana.frames) == 1)
    assert ana.frames[0] == {"conversation": "new", "sequence": 1, "for": "ana"}
    hub.offer([log.commit("other", joins=["dan"])])
    assert "other" not in hub.topics, "none of its participants is connected"


async def test_an_unannounced_new_conversation_is_found_by_the_sweep(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("new", joins=["ana"])
    log.commit("new")
    hub.offer_recent(log.recent())
    await until(lambda: sequences(ana) == [1, 2])


async def test_a_removed_participant_gets_nothing_after_the_removal(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben, second_device = Peer("ben"), Peer("ben", "tablet")
    for peer in (ben, second_device):
        await hub.attach(peer.socket)
    hub.offer([log.commit("c", leaves=["ben"]), log.commit("c")])
    hub.offer([EphemeralEvent("{}", conversation_id="c"), EphemeralEvent("{}", conversation_id="c", user_ids=["ben"])])
    assert sequences(ben) == sequences(second_device) == [2]
    assert len(ana.frames) == 3
    assert ben.socket.topics == {}


async def test_an_unannounced_removal_is_delivered_before_later_events(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    log.commit("c", leaves=["ben"])
    hub.offer([log.commit("c")])
    await until(lambda: sequences(ana) == [2, 3])
    assert sequences(ben) == [2]


@pytest.mark.parametrize("another_is_connected", [True, False])
async def test_a_participant_removed_while_signing_in_is_not_admitted(
    another_is_connected: bool, hub: Hub, log: FakeLog
) -> None:
    """The database answered "member" just before the removal, which the hub has delivered by now."""
    if another_is_connected:
        await hub.attach(Peer("ana").socket)
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    hub.offer([log.commit("c", leaves=["ben"])])
    gate.let_through()
    await asyncio.wait_for(signing_in, DEADLINE)
    hub.offer([log.commit("c")])
    hub.offer_recent(log.recent())
    await settled(hub)
    assert [sequence for sequence in sequences(ben) if sequence > 2] == [], "nothing after the removal"
    assert ben.socket.topics == {}


@pytest.mark.parametrize(
    "another_is_connected",
    [
        pytest.param(True, id="another participant is connected"),
        pytest.param(False, id="no other participant is connected"),
    ],
)
async def test_ephemeral_events_do_not_reach_a_participant_removed_while_signing_in(
    another_is_connected: bool, hub: Hub, log: FakeLog
) -> None:
    if another_is_connected:
        await hub.attach(Peer("ana").socket)
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    hub.offer([log.commit("c", leaves=["ben"])])
    gate.let_through()
    await asyncio.wait_for(signing_in, DEADLINE)
    hub.offer([EphemeralEvent('{"sequence":0}', conversation_id="c")])
    assert ben.frames == []


async def test_a_removal_read_from_the_log_while_signing_in_counts(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    log.commit("c", leaves=["ben"])
    hub.offer([log.commit("c")])
    await until(lambda: sequences(ana) == [2, 3])
    gate.let_through()
    await asyncio.wait_for(signing_in, DEADLINE)
    hub.offer([log.commit("c")])
    assert (sequences(ben), ben.socket.topics) == ([], {})


async def test_a_participant_added_while_signing_in_is_admitted(hub: Hub, log: FakeLog) -> None:
    cleo, gate = Peer("cleo"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(cleo.socket))
    await reached(gate)
    hub.offer([log.commit("c", joins=["cleo"])])
    gate.let_through()
    await asyncio.wait_for(signing_in, DEADLINE)
    hub.offer([log.commit("c")])
    assert sequences(cleo) == [2, 3]


async def test_a_join_undone_before_it_was_read_admits_nobody(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("d", joins=["ben"])
    hub.offer_recent(Recent(log.epoch, heads={"d": 1}, joins={"d": {"ana": 1}}))
    await settled(hub)
    assert "d" not in hub.topics
    assert ana.frames == []


async def test_a_socket_closed_while_signing_in_is_not_attached(hub: Hub, log: FakeLog) -> None:
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    ben.socket.close(CloseCode.REVOKED)
    gate.let_through()
    await asyncio.wait_for(signing_in, DEADLINE)
    assert hub.topics == {}
    assert hub.newcomers == []


async def test_a_topic_without_sockets_stops_waiting_and_reads_nothing(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    hub.offer([log.commit("c")])
    filling = hub.topics["c"].filling
    assert filling is not None
    hub.detach(ana.socket)
    await asyncio.wait_for(filling, DEADLINE)
    assert (log.reads, hub.topics) == ([], {})


async def test_a_detached_socket_leaves_nothing_behind(hub: Hub, log: FakeLog, ana: Peer) -> None:
    assert list(hub.topics) == ["c"]
    hub.detach(ana.socket)
    hub.detach(ana.socket)
    hub.offer([log.commit("c")])
    assert (hub.topics, hub.users, ana.frames) == ({}, {}, [])


async def test_the_heads_change_with_every_event(hub: Hub, log: FakeLog, ana: Peer) -> None:
    before = hub.heads(ana.socket)
    assert before.checksum == zlib.crc32(b"c:1")
    hub.offer([log.commit("c")])
    after = hub.heads(ana.socket)
    assert before.count == after.count == 1
    assert before.checksum != after.checksum
    assert after.checksum == zlib.crc32(b"c:2")


async def test_a_lagging_hub_delivers_no_events_from_before_joining(hub: Hub, log: FakeLog, ana: Peer) -> None:
    before, joined, after = log.commit("c"), log.commit("c", joins=["cleo"]), log.commit("c")
    cleo = Peer("cleo")
    await hub.attach(cleo.socket)
    for event in (before, joined, after):
        hub.offer([event])
    assert sequences(ana) == [before.sequence, joined.sequence, after.sequence]
    assert sequences(cleo) == [joined.sequence, after.sequence]
