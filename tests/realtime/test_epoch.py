"""The hub when the epoch of the log changes: it closes all sockets and forgets everything it knew."""

import asyncio
import logging

import pytest

from realtime.fanout import sweep
from realtime.fanout.hub import Hub
from realtime.fanout.hub import hub as hub_of_this_process
from realtime.wire.announcements import EphemeralEvent, RowKey
from realtime.wire.close_codes import CloseCode
from tests.realtime.logs import FakeLog, Gate, reached, settled
from tests.realtime.peers import Peer, sequences
from tests.waiting import DEADLINE


def restore(log: FakeLog, *, keep: int) -> None:
    """Drop the end of conversation `c`, and begin another epoch."""
    del log.events["c"][keep:]
    log.epoch = "second"


async def test_a_sweep_that_finds_another_epoch_closes_all_sockets(
    hub: Hub, log: FakeLog, ana: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    hub.offer([log.commit("c"), EphemeralEvent("{}", conversation_id="c", row_key=RowKey("receipt:7"))])
    restore(log, keep=1)
    hub.offer_recent(log.recent())
    assert await ana.closed() == await ben.closed() == CloseCode.RESTART
    assert (hub.epoch, hub.topics, ana.socket.topics, hub.has_seen(RowKey("receipt:7"))) == ("second", {}, {}, False)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "another epoch of the log has begun; 2 sockets are closed")
    ]
    hub.offer_recent(log.recent())
    assert len(caplog.records) == 1


async def test_reconnected_sockets_receive_events_of_the_new_epoch(hub: Hub, log: FakeLog, ana: Peer) -> None:
    hub.offer([log.commit("c") for _ in range(5)])
    restore(log, keep=2)
    hub.offer_recent(log.recent())
    again = Peer("ana")
    await hub.attach(again.socket)
    hub.offer([log.commit("c")])
    assert sequences(again) == [3]
    assert sequences(ana) == [2, 3, 4, 5, 6]


async def test_signing_in_detects_another_epoch(hub: Hub, log: FakeLog, ana: Peer) -> None:
    hub.offer([log.commit("c", leaves=["ben"]), log.commit("c", joins=["ben"])])
    restore(log, keep=1)  # the hub has already delivered joins and leaves that the restored log lacks
    ben = Peer("ben")
    await asyncio.wait_for(hub.attach(ben.socket), DEADLINE)
    assert await ana.closed() == await ben.closed() == CloseCode.RESTART
    assert (hub.epoch, hub.topics) == ("second", {})


async def test_a_socket_that_signs_in_with_the_old_epoch_is_closed(hub: Hub, log: FakeLog, ana: Peer) -> None:
    ben, gate = Peer("ben"), Gate(log)
    signing_in = asyncio.create_task(hub.attach(ben.socket))
    await reached(gate)
    restore(log, keep=1)
    hub.offer_recent(log.recent())
    gate.let_through()
    await asyncio.wait_for(signing_in, DEADLINE)
    assert await ben.closed() == CloseCode.RESTART
    assert (hub.epoch, hub.topics, ben.socket.topics) == ("second", {}, {})


async def test_a_read_of_the_former_log_is_discarded(hub: Hub, log: FakeLog, ana: Peer) -> None:
    log.commit("c")
    gate = Gate(log)
    hub.offer([log.commit("c", joins=["dan"])])
    await reached(gate)
    restore(log, keep=1)
    hub.offer_recent(log.recent())
    dan = Peer("dan")
    log.history_starts["c", "dan"] = 1
    await hub.attach(dan.socket)
    gate.let_through()
    await settled(hub)
    await asyncio.sleep(0.05)
    hub.offer([log.commit("c")])
    assert sequences(dan) == [2]


async def test_the_first_socket_in_an_empty_hub_takes_the_new_epoch(hub: Hub, log: FakeLog, ana: Peer) -> None:
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
async def cleo(log: FakeLog, empty_hub_afterwards: None) -> Peer:
    """Cleo's socket in the hub of this process."""
    log.commit("d", joins=["cleo"])
    peer = Peer("cleo")
    await hub_of_this_process.attach(peer.socket)
    return peer


async def test_the_sweep_detects_another_epoch(cleo: Peer, log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep.registry, "recent_readers", [])
    await sweep._find_lost_announcements()
    assert not cleo.socket.closing
    log.epoch = "second"
    await sweep._find_lost_announcements()
    assert await cleo.closed() == CloseCode.RESTART


async def test_a_stale_sweep_does_not_restore_the_former_epoch(cleo: Peer, log: FakeLog) -> None:
    gate = Gate(log)
    log_before = log.recent()

    def stale_recent() -> object:
        log.before_answering()
        return log_before

    log.recent = stale_recent  # type: ignore[method-assign]
    looking = asyncio.create_task(sweep._find_lost_announcements())
    await reached(gate)
    log.before_answering = lambda: None
    log.epoch = "second"
    await hub_of_this_process.attach(Peer("cleo", "tablet").socket)
    gate.let_through()
    await looking
    assert hub_of_this_process.epoch == "second"
