"""The hub: who comes, goes, is added and removed, also while signing in."""

import asyncio
import zlib

import pytest

from realtime.fanout import sockets
from realtime.fanout.hub import Hub
from realtime.registry import Recent
from realtime.wire.items import Notice
from tests.realtime.logs import FakeLog, Gate, reached, settled
from tests.realtime.peers import Peer, sequences
from tests.waiting import until


async def test_who_joins_gets_their_joining_and_what_follows(hub: Hub, log: FakeLog, ana: Peer) -> None:
    cleo = Peer("cleo")
    await hub.attach(cleo.socket)
    hub.offer([log.commit("c"), log.commit("c", joins=["cleo"]), log.commit("c")])
    assert sequences(cleo) == [3, 4]
    assert sequences(ana) == [2, 3, 4]


async def test_who_joins_is_a_member_while_their_frame_is_being_rendered(hub: Hub, log: FakeLog, ana: Peer) -> None:
    cleo = Peer("cleo")
    await hub.attach(cleo.socket)
    hub.offer([log.commit("c", joins=["cleo"], rendered=False)])
    hub.offer([Notice('{"typing":true}', conversation_id="c")])
    assert cleo.frames == [{"typing": True}]
    await settled(hub)
    assert [frame["sequence"] for frame in cleo.frames[1:]] == [2]


async def test_a_new_conversation_reaches_those_who_are_here(hub: Hub, log: FakeLog, ana: Peer) -> None:
    hub.offer([log.commit("new", joins=["ana", "dan"], rendered=False)])
    await until(lambda: len(ana.frames) == 1)
    assert ana.frames[0] == {"conversation": "new", "sequence": 1, "for": "ana"}
    hub.offer([log.commit("other", joins=["dan"])])
    assert "other" not in hub.topics, "nobody of it is here"


async def test_a_new_conversation_whose_wake_up_was_lost_is_found_by_the_sweep(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    log.commit("new", joins=["ana"])
    log.commit("new")
    hub.offer_recent(log.recent())
    await until(lambda: sequences(ana) == [1, 2])


async def test_who_is_removed_gets_the_removal_and_nothing_after(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben, second_device = Peer("ben"), Peer("ben", "tablet")
    for peer in (ben, second_device):
        await hub.attach(peer.socket)
    hub.offer([log.commit("c", leaves=["ben"]), log.commit("c")])
    hub.offer([Notice("{}", conversation_id="c"), Notice("{}", conversation_id="c", user_ids=["ben"])])
    assert sequences(ben) == sequences(second_device) == [2]
    assert len(ana.frames) == 3
    assert ben.socket.topics == {}


async def test_a_removal_whose_wake_up_was_lost_still_comes_before_what_follows(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    log.commit("c", leaves=["ben"])
    hub.offer([log.commit("c")])
    await until(lambda: sequences(ana) == [2, 3])
    assert sequences(ben) == [2]


@pytest.mark.parametrize("somebody_else_is_here", [True, False])
async def test_who_is_removed_while_signing_in_is_not_let_in(
    somebody_else_is_here: bool, hub: Hub, log: FakeLog
) -> None:
    """The database said "member" a moment before the removal; by then the removal was passed on here already."""
    if somebody_else_is_here:
        await hub.attach(Peer("ana").socket)
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    hub.offer([log.commit("c", leaves=["ben"])])
    gate.let_through()
    await asyncio.wait_for(signing_in, 5)
    hub.offer([log.commit("c")])
    hub.offer_recent(log.recent())
    await settled(hub)
    assert [sequence for sequence in sequences(ben) if sequence > 2] == [], "nothing after the removal"
    assert ben.socket.topics == {}


@pytest.mark.parametrize(
    "somebody_else_is_here",
    [
        pytest.param(True, id="others are here"),
        pytest.param(False, id="first of the conversation"),
    ],
)
async def test_notices_do_not_reach_who_was_removed_while_signing_in(
    somebody_else_is_here: bool, hub: Hub, log: FakeLog
) -> None:
    if somebody_else_is_here:
        await hub.attach(Peer("ana").socket)
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    hub.offer([log.commit("c", leaves=["ben"])])
    gate.let_through()
    await asyncio.wait_for(signing_in, 5)
    hub.offer([Notice('{"sequence":0}', conversation_id="c")])
    assert ben.frames == []


async def test_who_is_removed_while_signing_in_is_not_let_in_though_the_removal_was_only_read(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    log.commit("c", leaves=["ben"])
    hub.offer([log.commit("c")])
    await until(lambda: sequences(ana) == [2, 3])
    gate.let_through()
    await asyncio.wait_for(signing_in, 5)
    hub.offer([log.commit("c")])
    assert (sequences(ben), ben.socket.topics) == ([], {})


async def test_who_is_added_while_signing_in_is_let_in(hub: Hub, log: FakeLog) -> None:
    cleo, gate = Peer("cleo"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(cleo.socket))
    await reached(gate)
    hub.offer([log.commit("c", joins=["cleo"])])
    gate.let_through()
    await asyncio.wait_for(signing_in, 5)
    hub.offer([log.commit("c")])
    assert sequences(cleo) == [2, 3]


async def test_a_joining_that_was_undone_before_it_was_read_lets_nobody_in(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("d", joins=["ben"])
    hub.offer_recent(Recent(log.epoch, heads={"d": 1}, joins={"d": {"ana": 1}}))
    await settled(hub)
    assert "d" not in hub.topics
    assert ana.frames == []


async def test_who_is_shown_out_while_signing_in_is_not_attached(hub: Hub, log: FakeLog) -> None:
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    ben.socket.close(sockets.REVOKED)
    gate.let_through()
    await asyncio.wait_for(signing_in, 5)
    assert hub.topics == {}
    assert hub.newcomers == []


async def test_a_conversation_that_everybody_left_while_it_waited_for_an_event_is_not_read(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    log.commit("c")
    hub.offer([log.commit("c")])
    filling = hub.topics["c"].filling
    assert filling is not None
    hub.detach(ana.socket)
    await asyncio.wait_for(filling, 5)
    assert (log.reads, hub.topics) == ([], {})


async def test_who_has_gone_leaves_nothing_behind(hub: Hub, log: FakeLog, ana: Peer) -> None:
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


async def test_who_comes_to_a_hub_that_lags_behind_hears_nothing_of_the_time_before(
    hub: Hub, log: FakeLog, ana: Peer
) -> None:
    before, joined, after = log.commit("c"), log.commit("c", joins=["cleo"]), log.commit("c")
    cleo = Peer("cleo")
    await hub.attach(cleo.socket)
    for event in (before, joined, after):
        hub.offer([event])
    assert sequences(ana) == [before.sequence, joined.sequence, after.sequence]
    assert sequences(cleo) == [joined.sequence, after.sequence]
