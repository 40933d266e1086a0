"""The states of a connection: each step needs its own, and a wrong step ends the connection instead of leaving it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from realtime.fanout.hub import hub
from realtime.fanout.sockets import Socket
from realtime.registry import Identity, registry
from realtime.socket import consumer
from realtime.socket.connection import ConnectionState, Gone, Refused, WebSocketConnection, WrongMessage, WrongState
from realtime.wire.close_codes import CloseCode
from tests.realtime.callers import Calls

UPGRADING, UNSIGNED, SIGNED_IN, CLOSED = ConnectionState
LEFT = {"type": "websocket.disconnect", "code": 1006}
PING = {"type": "websocket.receive", "text": '{"type": "ping"}'}

Step = Callable[[WebSocketConnection], Any]
STEPS: dict[str, tuple[Step, set[ConnectionState], ConnectionState | None]] = {
    "wait for the upgrade": (WebSocketConnection.request_upgrade, {UPGRADING}, None),
    "accept": (WebSocketConnection.accept, {UPGRADING}, UNSIGNED),
    "deny": (lambda connection: connection.deny(403), {UPGRADING}, CLOSED),
    "sign in": (WebSocketConnection.sign_in, {UNSIGNED}, SIGNED_IN),
    "close unsigned": (lambda connection: connection.close_unsigned(Refused(4401)), {UNSIGNED}, CLOSED),
    "close signed in": (WebSocketConnection.close_signed_in, {SIGNED_IN}, CLOSED),
    "read a frame": (WebSocketConnection.next_text, {UNSIGNED, SIGNED_IN}, None),
}


class Line:
    """The server's side of a connection in a state, to which these messages come."""

    def __init__(self, state: ConnectionState, *received: dict[str, Any], broken: bool = False) -> None:
        self.sent: list[dict[str, Any]] = []
        self._received = [*received]
        self._broken = broken
        self.connection = WebSocketConnection({"headers": []}, self._receive, self._send)
        self.connection.state = state

    async def _receive(self) -> dict[str, Any]:
        return self._received.pop(0)

    async def _send(self, message: dict[str, Any]) -> None:
        if self._broken:
            raise OSError("the client is gone")
        self.sent.append(message)


async def take(step: Step, connection: WebSocketConnection) -> None:
    done = step(connection)
    if isinstance(done, Awaitable):
        await done


@pytest.mark.parametrize("state", ConnectionState)
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_is_taken_in_its_state_and_raises_in_every_other(step: str, state: ConnectionState) -> None:
    act, expected, after = STEPS[step]
    line = Line(state, {"type": "websocket.connect"} if state is UPGRADING else PING, LEFT)
    if state in expected:
        await take(act, line.connection)
        assert line.connection.state is (after or state)
    else:
        with pytest.raises(WrongState) as wrong:
            await take(act, line.connection)
        said, _, got = str(wrong.value).partition(", got ")
        assert got == state.value
        assert set(said.partition(": expected ")[2].split(" or ")) == {each.value for each in expected}
        assert line.connection.state is state
        assert line.sent == []


@pytest.mark.parametrize(("state", "step"), [(UPGRADING, "wait for the upgrade"), (UNSIGNED, "read a frame")])
async def test_a_disconnect_closes_the_connection(state: ConnectionState, step: str) -> None:
    line = Line(state, {"type": "websocket.disconnect", "code": 1001})
    with pytest.raises(Gone) as gone:
        await take(STEPS[step][0], line.connection)
    assert gone.value.code == 1001
    assert line.connection.state is CLOSED


@pytest.mark.parametrize("step", ["accept", "deny"])
async def test_a_client_that_left_before_the_answer_closes_the_connection(step: str) -> None:
    line = Line(UPGRADING, broken=True)
    with pytest.raises(Gone):
        await take(STEPS[step][0], line.connection)
    assert line.connection.state is CLOSED


@pytest.mark.parametrize(
    ("state", "step", "got", "expected"),
    [
        (UPGRADING, "wait for the upgrade", "websocket.receive", "websocket.connect"),
        (SIGNED_IN, "read a frame", "websocket.connect", "websocket.receive"),
    ],
)
async def test_a_message_that_cannot_follow_raises(state: ConnectionState, step: str, got: str, expected: str) -> None:
    with pytest.raises(WrongMessage, match=f"^expected {expected} or websocket.disconnect, got {got}$"):
        await take(STEPS[step][0], Line(state, {"type": got}).connection)


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize(
    ("state", "sent"),
    [
        (UPGRADING, [{"type": "websocket.close"}]),
        (UNSIGNED, [{"type": "websocket.close", "code": 1011}]),
        (SIGNED_IN, []),
        (CLOSED, []),
    ],
)
async def test_a_failure_ends_the_connection_in_every_state(
    state: ConnectionState, sent: list[dict[str, Any]], broken: bool
) -> None:
    line = Line(state, LEFT, broken=broken)
    await line.connection.fail()
    assert line.connection.state is CLOSED
    assert line.sent == ([] if broken else sent)


# --- Whole connections, with a mistake of the server in them ------------------------------

db = pytest.mark.django_db(transaction=True)
threads = pytest.mark.usefixtures("database_threads")


@db
@threads
async def test_signing_in_before_the_upgrade_is_accepted_answers_500(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def identify(_: WebSocketConnection) -> Identity:
        return Identity("ana", "phone")

    monkeypatch.setattr(consumer, "identify", identify)
    async with calls() as ana:
        assert await ana.is_denied() == 500
    assert "sign in: expected unsigned, got upgrading" in caplog.text
    assert ana.serving.exception() is None


@db
@threads
async def test_accepting_twice_closes_with_1011(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def identify(connection: WebSocketConnection) -> Identity:
        await connection.accept()
        await connection.accept()
        raise AssertionError("not reached")

    monkeypatch.setattr(consumer, "identify", identify)
    async with calls() as ana:
        assert await ana.is_closed() == CloseCode.INTERNAL_ERROR
    assert "a connection failed while it was unsigned" in caplog.text
    assert "accept: expected upgrading, got unsigned" in caplog.text


@db
@threads
async def test_a_wrong_step_after_signing_in_closes_with_1011_and_forgets_the_socket(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[int | None] = []
    monkeypatch.setattr(registry, "closed_listeners", [lambda socket: ended.append(socket.close_code)])

    async def serve_frames(serving: consumer.Consumer, _: Socket) -> None:
        serving._connection.sign_in()

    monkeypatch.setattr(consumer.Consumer, "_serve_frames", serve_frames)
    async with calls(token=token) as ana:
        await ana.hears("connected")
        assert await ana.is_closed() == CloseCode.INTERNAL_ERROR
        assert hub.all_sockets() == []
        ana.hangs_up()
        await ana.ended()
    assert "sign in: expected unsigned, got signed in" in caplog.text
    assert ended == [CloseCode.INTERNAL_ERROR]


@db
@threads
async def test_a_second_connect_message_closes_with_1011(
    calls: Calls, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with calls(token=token) as ana:
        await ana.hears("connected")
        ana.says_raw({"type": "websocket.connect"})
        assert await ana.is_closed() == CloseCode.INTERNAL_ERROR
        assert hub.all_sockets() == []
    assert "expected websocket.receive or websocket.disconnect, got websocket.connect" in caplog.text
