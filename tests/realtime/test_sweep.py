"""The periodic work of a process and its drain: silent and stuck sockets, failures, and shutdown."""

import asyncio
import contextlib
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError

from realtime.fanout import sweep
from realtime.fanout.hub import hub
from realtime.registry import registry
from realtime.socket import drain as drains
from realtime.socket.drain import Drain
from realtime.wire.close_codes import CloseCode
from realtime.wire.errors import TryAgain
from tests.realtime.logs import FakeLog
from tests.realtime.peers import Peer
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("empty_hub_afterwards")


@pytest.fixture
async def ana(log: FakeLog) -> Peer:
    """Ana's socket in the hub of this process."""
    peer = Peer("ana")
    await hub.attach(peer.socket)
    return peer


# --- Sockets ------------------------------------------------------------------------------


async def test_a_silent_client_is_closed(ana: Peer, limits: Callable[..., None]) -> None:
    limits(heartbeat_timeout_seconds=60)
    ana.socket.heard_at -= 59
    await sweep._look_at_sockets()
    assert not ana.socket.closing
    ana.socket.heard_at -= 2
    await sweep._look_at_sockets()
    assert await ana.closed() == CloseCode.HEARTBEAT_MISSED


async def test_a_client_that_does_not_read_is_closed(ana: Peer, limits: Callable[..., None]) -> None:
    limits(outbox_stuck_seconds=10)
    ana.stops_reading()
    ana.deliver("unread")
    await sweep._look_at_sockets()
    assert not ana.socket.closing
    assert ana.socket.outbox.backlog is not None
    ana.socket.outbox.backlog.stuck_since -= 11
    await sweep._look_at_sockets()
    ana.reads_again()
    assert await ana.closed() == CloseCode.TOO_SLOW


async def test_a_process_that_stood_still_closes_all_sockets(ana: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(sweep, "STANDSTILL_SECONDS", 0.5)
    watch = asyncio.ensure_future(sweep._watch_for_standstill())
    await asyncio.sleep(0.1)
    assert not ana.socket.closing
    time.sleep(0.6)  # noqa: ASYNC251 - blocks the event loop on purpose
    assert await ana.closed() == CloseCode.RESTART
    watch.cancel()


# --- The log ------------------------------------------------------------------------------


async def test_followed_at_is_the_time_of_the_last_successful_sweep(
    ana: Peer, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "recent_readers", [])
    hub.followed_at = 0
    began = time.monotonic()
    await sweep._find_lost_announcements()
    assert began <= (followed_at := hub.followed_at) <= time.monotonic()

    def away() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(log, "recent", away)
    with pytest.raises(TryAgain):
        await sweep._find_lost_announcements()
    assert hub.followed_at == followed_at
    hub.detach(ana.socket)
    await sweep._find_lost_announcements()
    assert hub.followed_at > followed_at, "without sockets there is nothing to follow"


# --- Intervals ----------------------------------------------------------------------------


async def test_a_failure_ends_only_one_round(caplog: pytest.LogCaptureFixture) -> None:
    rounds = iter([TryAgain(), ZeroDivisionError(), None])
    done = asyncio.Event()

    async def work() -> None:
        if error := next(rounds):
            raise error
        done.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(sweep._every(0, work))
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    logged = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert logged == [ZeroDivisionError], "an unreachable database is not logged as an error"


@pytest.mark.parametrize(("took", "pause"), [(0.0, 1.0), (0.3, 0.7), (0.5, 0.5), (9.0, 0.5)])
def test_the_pause_fills_the_interval_but_is_at_least_half_of_it(took: float, pause: float) -> None:
    assert sweep.pause_after(took, 1.0) == pytest.approx(pause)


async def test_the_pause_depends_on_the_duration_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    durations: list[float] = []

    def pause(took: float, seconds: float) -> float:
        durations.append(took)
        return 0.0

    monkeypatch.setattr(sweep, "pause_after", pause)
    task = asyncio.ensure_future(sweep._every(1.0, lambda: asyncio.sleep(0.05)))
    await until(lambda: len(durations) == 3)
    task.cancel()
    first, *later = durations
    assert first == 0.0
    assert all(took >= 0.05 for took in later)


# --- Drain --------------------------------------------------------------------------------


async def test_a_drain_ends_when_all_clients_have_left(ana: Peer) -> None:
    drain = Drain()
    drain.begin()
    running = asyncio.ensure_future(drain.run())
    assert await ana.closed() == CloseCode.RESTART
    assert [frame["type"] for frame in ana.frames] == ["reconnect"]
    await asyncio.sleep(0.1)
    assert not running.done()
    hub.detach(ana.socket)
    await asyncio.wait_for(running, 1)


async def test_a_drain_ends_at_its_time_limit(ana: Peer, limits: Callable[..., None]) -> None:
    limits(drain_seconds=0.2)
    drain = Drain()
    drain.begin()
    await asyncio.wait_for(drain.run(), 2)
    assert hub.users


async def test_a_drain_closes_sockets_after_running_writes(ana: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    writing = True
    monkeypatch.setattr(registry, "busy_checks", [lambda: writing])
    drain = Drain()
    drain.begin()
    running = asyncio.ensure_future(drain.run())
    await asyncio.sleep(0.1)
    assert ana.close_code is None
    writing = False
    assert await ana.closed() == CloseCode.RESTART
    hub.detach(ana.socket)
    await asyncio.wait_for(running, 1)


async def test_clients_that_keep_sending_do_not_delay_a_drain(ana: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "busy_checks", [lambda: not ana.socket.closing])
    monkeypatch.setattr(drains, "FINISH_SECONDS", 0.1)
    drain = Drain()
    drain.begin()
    running = asyncio.ensure_future(drain.run())
    assert await ana.closed() == CloseCode.RESTART
    hub.detach(ana.socket)
    await asyncio.wait_for(running, 1)
