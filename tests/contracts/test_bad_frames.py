"""Frames made from the structs of the registered commands and then broken: the socket answers or closes with a code."""

import functools
import json
import operator
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import jsonschema
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chatsite import asyncapi  # imports every module that declares commands and frames
from realtime.registry import registry
from realtime.wire.close_codes import CloseCode
from tests.contracts.bad_input import NOWHERE, Somebody, tries
from tests.harness.servers import Site
from tests.waiting import DEADLINE

pytestmark = pytest.mark.usefixtures("watched")

document = asyncapi.document()
COMMANDS = {tag: command.frame for tag, command in sorted(registry.commands.items())}
ABSENT = object()
NASTY_TEXTS = ["", "\x00", "\u202e", "\uffff", "\U0010ffff", "a" * 5_000, "null", "__proto__", "%s", "' OR 1=1 --"]
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30])
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(NASTY_TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def valid(schema: dict[str, Any], ids: list[str]) -> st.SearchStrategy[Any]:
    """Return values of a JSON schema, for the keywords that commands use; half of the ids exist."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([valid(each, ids) for each in schema["anyOf"]])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum")) | st.integers(0, 3)
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "string" if schema.get("format") == "uuid":
            return st.sampled_from(ids) | st.uuids().map(str)
        case "string" if schema.get("format") == "date-time":
            return st.datetimes().map(lambda moment: moment.isoformat() + "Z")
        case "string":
            return st.text(max_size=min(schema.get("maxLength", 50), 200))
        case "object" if "properties" in schema:
            required = {name: valid(schema["properties"][name], ids) for name in schema.get("required", ())}
            optional = {name: valid(each, ids) for name, each in schema["properties"].items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            keys = st.sampled_from(ids) | st.uuids().map(str)
            return st.dictionaries(keys, valid(schema["additionalProperties"], ids), max_size=4)
        case "object":
            return st.dictionaries(st.text(max_size=10), anything, max_size=4)
    return anything


@st.composite
def frames(draw: st.DrawFn) -> str:
    """Return the text of a command, mostly broken in some way. `@0` to `@2` are placeholders for ids that exist."""
    kind = COMMANDS[draw(st.sampled_from(sorted(COMMANDS)))]
    schema = document["components"]["schemas"][kind.__name__]
    frame = draw(valid(schema, ["@0", "@1", "@2"]))
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*schema["properties"], "colour"]))
        value = draw(st.just(ABSENT) | anything)
        frame = {key: old for key, old in frame.items() if key != name} | ({} if value is ABSENT else {name: value})
    text = json.dumps(frame, ensure_ascii=draw(st.booleans()))
    match draw(st.integers(0, 7)):
        case 0:  # a part of the text is replaced
            begin = draw(st.integers(0, len(text)))
            piece = draw(st.sampled_from(['"', "\\", "\\ud800", "\\u0000", "}", "[", "1e999", "NaN", "\x00", ","]))
            text = text[:begin] + piece + text[begin + draw(st.integers(0, 3)) :]
        case 1:  # a key occurs twice
            twice = draw(st.sampled_from(["id", *schema["properties"]]))
            text = text[:-1] + f", {json.dumps(twice)}: {json.dumps(draw(anything))}" + "}"
        case 2:  # the frame is nested deeply
            depth = draw(st.integers(1, 3_000))
            text = draw(st.sampled_from(["[", '{"a":'])) * depth + text
    return text


class Client:
    """A socket that reconnects after a close and validates every frame that it receives."""

    def __init__(self, somebody: Somebody) -> None:
        self.somebody = somebody
        self._open = ExitStack()
        self._socket: ClientConnection | None = None
        schemas = document["components"]["schemas"]
        self._validators = {
            tag: jsonschema.Draft202012Validator(
                {"$ref": f"#/components/schemas/{kind.__name__}", "components": {"schemas": schemas}}
            )
            for tag, kind in registry.frames.items()
        }

    @property
    def socket(self) -> ClientConnection:
        if self._socket is None:
            self._socket = self._open.enter_context(
                connect(
                    self.somebody.server.replace("http", "ws") + "/ws",
                    additional_headers={"Authorization": f"Bearer {self.somebody.token}"},
                    compression=None,
                    max_size=None,
                    proxy=None,
                    ping_interval=None,  # its thread would draw random numbers, which Hypothesis forbids
                )
            )
            assert self.hears()["type"] == "connected"
        return self._socket

    def hears(self) -> Any:
        """Return the next frame, which must match its schema."""
        assert self._socket is not None
        text = self._socket.recv(timeout=DEADLINE)
        frame = json.loads(text)
        self._validators[frame["type"]].validate(frame)
        if frame["type"] == "error":
            assert frame["code"] != "server_error", frame
        return frame

    def survives(self, data: str | bytes, *, text: bool = True) -> list[Any]:
        """Send the data, then a ping; return the frames before the pong.

        If the server closes instead, the code must be documented; return a list with only this code.
        """
        try:
            self.socket.send(data, text=text)
            return self.hears_until({"type": "ping"})
        except ConnectionClosed as closed:
            self._socket = None
            if closed.rcvd is None and len(data) > 65_536:
                return [1009]  # the close frame may be lost when the server hangs up with unread bytes
            assert closed.rcvd is not None, f"the server hung up without a close frame after {data!r}"
            assert closed.rcvd.code in set(CloseCode), closed
            return [closed.rcvd.code]

    def hears_until(self, command: dict[str, Any]) -> list[Any]:
        """Send a command that has an answer, and return the frames before this answer.

        Without typing and presence: they are no answers, and those of earlier commands may end now.
        """
        fence = f"fence-{uuid4()}"
        self.socket.send(json.dumps(command | {"id": fence}))
        heard = []
        while (frame := self.hears()).get("id") != fence:
            if frame["type"] not in ("typing", "presence"):
                heard.append(frame)
        return heard

    def settles(self, command: Any) -> None:
        """Wait until the work of a command has ended: receipts and sends are answered after their commit."""
        if command["type"] in ("delivery_receipt", "read_receipt"):
            self.hears_until({"type": "delivery_receipt", "message_id": str(uuid4())})
        elif command["type"] == "send_message":
            self.hears_until(command)  # the repeated send takes the same lane

    def ends(self) -> None:
        self._open.close()


@pytest.fixture(scope="module")
def client(fuzzed: Site) -> Iterator[Client]:
    client = Client(Somebody(fuzzed.servers[0].http).signs_up())
    yield client
    client.ends()


@tries(800)
@given(text=frames())
def test_frames_made_from_the_structs(client: Client, text: str) -> None:
    for number, name in enumerate(("conversation_id", "message_id", "user_id")):
        text = text.replace(f"@{number}", client.somebody.ids[name])
    heard = client.survives(text.encode("utf-8", "replace"))
    frame = read(text, Any)
    if read(text, functools.reduce(operator.or_, COMMANDS.values())) is not None:
        client.settles(frame)
    elif heard != [1009]:
        (error,) = [each for each in heard if each["type"] == "error"]
        assert error["code"] in ("malformed", "invalid", "unknown_type")
        assert error.get("id") == id_in(text)


def id_in(text: str) -> str | None:
    """Return the id of a frame that is JSON, also with half of a surrogate pair elsewhere; None without a valid one."""
    try:
        frame = json.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    mine = frame.get("id") if isinstance(frame, dict) else None
    if not isinstance(mine, str) or len(mine) > 128 or any("\ud800" <= each <= "\udfff" for each in mine):
        return None
    return mine


def read(text: str, kind: Any) -> Any:
    """Return a frame's text as this type; None if it does not fit."""
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"), type=kind)
    except (msgspec.MsgspecError, RecursionError):
        return None


@tries(800)
@given(data=st.binary(max_size=200))
@example(data=b"\xff\xfe")
@example(data=b'{"type": "ping", "id": "\xed\xa0\x80"}')
@example(data=b"\x00")
def test_random_bytes_as_text_frames(client: Client, data: bytes) -> None:
    heard = client.survives(data)
    try:
        data.decode()
    except UnicodeDecodeError:
        assert heard == [1007]
    else:
        assert [frame["type"] for frame in heard] == ["error"]


@pytest.mark.parametrize("data", [b"", b"\x00", b'{"type": "ping"}', b"x" * 70_000], ids=lambda data: ascii(data[:20]))
def test_binary_frames_close_the_socket(client: Client, data: bytes) -> None:
    assert client.survives(data, text=False) == [1009 if len(data) > 65_536 else 1003]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (" " * 65_537, 1009),
        ("[" * 65_536, "malformed"),
        ('{"a":' * 10_000, "malformed"),
        ('{"type":"ping","timestamp":' + "9" * 60_000 + "}", "invalid"),
        ('{"type":"ping","timestamp":1e400}', "invalid"),
        ('{"type":"ping","timestamp":NaN}', "malformed"),
        ('{"type":"ping","timestamp":"' + "x" * 65 + '"}', "invalid"),
        ('{"type":"ping","id":"' + "x" * 129 + '"}', "invalid"),
        ('{"type":"ping","id":5}', "invalid"),
        ('{"type":"ping","id":"\\ud800"}', "invalid"),
        ('{"type":"ping","type":"auth"}', "unknown_type"),
        ('{"TYPE":"ping"}', "unknown_type"),
        ('{"type":"ping","type2":1}', "invalid"),
        ('{"type":["ping"]}', "unknown_type"),
        ('{"type":"sync","cursors":{"' + NOWHERE + '":1.5}}', "invalid"),
        ('{"type":"sync","cursors":[]}', "invalid"),
        ('{"type":"sync","cursors":{},"epoch":"the first"}', "invalid"),
        ('{"type":"sync","cursors":{},"epoch":null}', "sync_complete"),
        ('{"type":"sync","cursors":{},"since":"0001-01-01T00:00:00Z"}', "sync_complete"),
        ('{"type":"sync","cursors":{},"since":"9999-12-31T23:59:59-23:59"}', "sync_complete"),
        ('{"type":"sync","cursors":{},"since":"2026-01-01T00:00:00"}', "invalid"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_hostile_frames_get_the_expected_answer(client: Client, text: str, outcome: str | int) -> None:
    (heard,) = client.survives(text)
    if isinstance(heard, int):
        assert heard == outcome
    else:
        assert outcome in (heard["type"], heard.get("code"))
