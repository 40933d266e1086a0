"""The hub when another epoch of the log begins under it: everybody out, nothing kept."""

import asyncio
import logging

import pytest

from realtime.fanout import sockets, sweep
from realtime.fanout.hub import Hub
from realtime.fanout.hub import hub as hub_of_this_process
from realtime.wire.items import Notice, RowKey
from tests.realtime.logs import FakeLog, Gate, reached, settled
from tests.realtime.peers import Peer, sequences


def restore(log: FakeLog, *, keep: int) -> None:
    """Let the conversation `c` lose its end, and another epoch begin."""
    del log.events["c"][keep:]
    log.epoch = "second"


async def test_a_look_that_finds_another_epoch_closes_all_sockets(
    hub: Hub, log: FakeLog, ana: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    hub.offer([log.commit("c"), Notice("{}", conversation_id="c", row_key=RowKey("receipt:7"))])
    restore(log, keep=1)
    hub.offer_recent(log.recent())
    assert await ana.closed() == await ben.closed() == sockets.RESTART
    assert (hub.epoch, hub.topics, ana.socket.topics, hub.has_seen(RowKey("receipt:7"))) == ("second", {}, {}, False)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "another epoch of the log has begun; 2 sockets are closed")
    ]
    hub.offer_recent(log.recent())
    assert len(caplog.records) == 1


async def test_what_follows_is_told_to_those_who_come_back(hub: Hub, log: FakeLog, ana: Peer) -> None:
    hub.offer([log.commit("c") for _ in range(5)])
    restore(log, keep=2)
    hub.offer_recent(log.recent())
    again = Peer("ana")
    await hub.attach(again.socket)
    hub.offer([log.commit("c")])
    assert sequences(again) == [3]
    assert sequences(ana) == [2, 3, 4, 5, 6]


async def test_a_socket_that_signs_in_brings_the_news_too(hub: Hub, log: FakeLog, ana: Peer) -> None:
    hub.offer([log.commit("c", leaves=["ben"]), log.commit("c", joins=["ben"])])
    restore(log, keep=1)  # the hub has delivered joins and removals that the log lies behind by now
    ben = Peer("ben")
    await asyncio.wait_for(hub.attach(ben.socket), 5)
    assert await ana.closed() == await ben.closed() == sockets.RESTART
    assert (hub.epoch, hub.topics) == ("second", {})


async def test_who_signs_in_with_what_was_read_before_does_not_slip_in(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    restore(log, keep=1)
    hub.offer_recent(log.recent())
    gate.let_through()
    await asyncio.wait_for(signing_in, 5)
    assert await ben.closed() == sockets.RESTART
    assert (hub.epoch, hub.topics, ben.socket.topics) == ("second", {}, {})


async def test_a_look_into_the_former_log_is_given_up(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    gate = Gate(log)
    hub.offer([log.commit("c", joins=["dan"])])
    await reached(gate)
    restore(log, keep=1)
    hub.offer_recent(log.recent())
    dan = Peer("dan")
    log.places["c", "dan"] = 1
    await hub.attach(dan.socket)
    gate.let_through()
    await settled(hub)
    await asyncio.sleep(0.05)
    hub.offer([log.commit("c")])
    assert sequences(dan) == [2]


async def test_who_comes_when_nobody_is_here_is_not_sent_away(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    gate = Gate(log)
    hub.offer([log.commit("c")])
    await reached(gate)
    hub.detach(ana.socket)
    assert (hub.epoch, hub.topics) == ("", {})
    restore(log, keep=1)
    again = Peer("ana")
    await hub.attach(again.socket)
    gate.let_through()
    hub.offer([log.commit("c")])
    await settled(hub)
    assert (again.close_code, sequences(again)) == (None, [2])


# --- The sweep ----------------------------------------------------------------------------


@pytest.fixture
async def cleo(log: FakeLog, nobody_stays: None) -> Peer:
    """Cleo's socket in this process's own hub."""
    log.commit("d", joins=["cleo"])
    peer = Peer("cleo")
    await hub_of_this_process.attach(peer.socket)
    return peer


async def test_the_sweep_looks_for_it(cleo: Peer, log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep.registry, "recent_notices", [])
    await sweep._find_lost_wake_ups()
    assert not cleo.socket.closing
    log.epoch = "second"
    await sweep._find_lost_wake_ups()
    assert await cleo.closed() == sockets.RESTART


async def test_a_look_that_was_overtaken_does_not_bring_the_former_epoch_back(cleo: Peer, log: FakeLog) -> None:
    gate = Gate(log)
    log_before = log.recent()

    def recent_of_before() -> object:
        log.before_answering()
        return log_before

    log.recent = recent_of_before  # type: ignore[method-assign]
    looking = asyncio.create_task(sweep._find_lost_wake_ups())
    await reached(gate)
    log.before_answering = lambda: None
    log.epoch = "second"
    await hub_of_this_process.attach(Peer("cleo", "tablet").socket)
    gate.let_through()
    await looking
    assert hub_of_this_process.epoch == "second"
