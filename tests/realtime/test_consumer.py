"""A connection after its upgrade, without a network: its frames, what closes it, and that it always ends."""

from typing import Any

import pytest

from realtime.fanout.hub import hub
from realtime.fanout.sockets import Socket
from realtime.registry import CommandDeclaration, registry
from realtime.socket import consumer
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.frames import Ping
from tests.clocks import Clock
from tests.realtime.callers import Caller, Calls
from tests.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The consumer's clock."""
    clock = Clock()
    monkeypatch.setattr(consumer, "time", clock)
    return clock


async def test_events_during_sign_in_are_sent_after_connected(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach = hub.attach

    async def attach_then_offer(socket: Socket) -> None:
        await attach(socket)
        hub.offer([EphemeralEvent('{"type":"news"}', user_ids=[socket.user_id])])

    monkeypatch.setattr(hub, "attach", attach_then_offer)
    async with calls(token=token) as ana:
        await ana.hears("news")
        assert [frame["type"] for frame in ana.frames][:2] == ["connected", "news"]


# --- Frames in ----------------------------------------------------------------------------


async def test_an_unexpected_error_in_a_command_is_answered_and_logged(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistaken(*_: object) -> None:
        raise ZeroDivisionError

    async with calls(token=token) as ana:
        with monkeypatch.context() as broken:
            broken.setitem(registry.commands, "ping", CommandDeclaration(Ping, mistaken, ()))
            ana.says('{"type": "ping", "id": "7"}')
            error = await ana.hears("error")
        assert (error["code"], error["id"]) == ("server_error", "7")
        assert "a command failed" in caplog.text
        ana.says('{"type": "ping", "id": "8"}')
        assert (await ana.hears("pong"))["id"] == "8"


async def test_bad_frames_are_counted_per_minute(calls: Calls, token: str, limits: Any, clock: Clock) -> None:
    limits(bad_frames_per_minute=2)
    async with calls(token=token) as ana:
        for _ in range(2):
            for _ in range(2):
                ana.says("nonsense")
            ana.says(f'{{"type": "ping", "id": "{clock.now}"}}')
            await until(lambda: str(clock.now) in [frame.get("id") for frame in ana.frames])
            clock.now += 61
        for _ in range(3):
            ana.says("nonsense")
        assert await ana.is_closed() == 4400
        assert len([frame for frame in ana.frames if frame["type"] == "error"]) == 7


async def test_a_flood_is_refused_and_closed_when_it_lasts(calls: Calls, token: str, limits: Any, clock: Clock) -> None:
    limits(frames_per_second=0.001, frames_burst=1)

    async def floods(ana: Caller, seconds: int) -> None:
        for _ in range(seconds):
            received = len(ana.frames)
            ana.says('{"type": "ping"}')
            await until(lambda received=received: len(ana.frames) > received)
            clock.now += 1

    async with calls(token=token) as ana:
        await ana.hears("connected")
        await floods(ana, 9)
        clock.now += 3  # a pause ends the flood, so its time starts anew
        await floods(ana, 10)
        assert ana.close_code is None
        ana.says('{"type": "ping"}')
        assert await ana.is_closed() == 4429
        refusals = [frame for frame in ana.frames if frame["type"] == "error"]
        assert {frame["code"] for frame in refusals} == {"rate_limited"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [("x" * 120, True), ("x" * 121, False), ("\u00e9" * 60, True), ("\u00e9" * 61, False)],
    ids=["ascii", "ascii too long", "two bytes each", "two bytes each too long"],
)
async def test_the_frame_limit_counts_bytes(text: str, fits: bool, calls: Calls, token: str, limits: Any) -> None:
    limits(frame_bytes=120)
    async with calls(token=token) as ana:
        await ana.hears("connected")
        ana.says(text)
        if fits:
            assert (await ana.hears("error"))["code"] == "malformed"
        else:
            assert await ana.is_closed() == 1009


# --- The end ------------------------------------------------------------------------------


async def test_frames_after_the_close_are_ignored(calls: Calls, token: str) -> None:
    async with calls(token=token) as ana:
        await ana.hears("connected")
        [socket] = hub.all_sockets()
        socket.close(4403)
        ana.says('{"type": "ping"}')
        assert await ana.is_closed() == 4403
        ana.hangs_up()
        await ana.ended()
        assert [frame["type"] for frame in ana.frames].count("pong") == 0


async def test_a_client_that_leaves_before_the_refusal_causes_no_error(calls: Calls) -> None:
    async with calls() as eve:
        await until(lambda: eve.received)
        eve.broken = True
        eve.says("no auth frame")
        await eve.ended()
        assert eve.serving.exception() is None


async def test_a_client_that_never_answers_the_close_is_not_waited_for(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.socket.connection.CLOSE_SECONDS", 0.01)
    monkeypatch.setattr("realtime.socket.consumer.CLOSE_SECONDS", 0.01)
    async with calls() as eve:
        eve.says("no auth frame")
        await eve.is_closed()
        eve.says("and so on")
        await eve.ended()
        assert eve.serving.exception() is None


async def test_a_client_that_does_not_read_the_close_is_cut_off(calls: Calls, token: str) -> None:
    async with calls(token=token) as ana:
        await ana.hears("connected")
        [socket] = hub.all_sockets()
        ana.stops_reading()
        socket.close(4403)
        await ana.ended()
        assert ana.serving.cancelled()
