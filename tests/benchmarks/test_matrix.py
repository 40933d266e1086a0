"""The Matrix client polls, sends one message at a time, and reports faults."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from benchmarks.clients import TEXT, Invalid
from benchmarks.peers.matrix import MatrixClient, MatrixPlace

Answer = tuple[int, dict[str, Any]]


@asynccontextmanager
async def server(answer: Callable[[str], Answer | None]) -> AsyncIterator[tuple[str, int]]:
    """Serve HTTP: `answer` makes the answer from a request line; with None the request hangs until the test ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"Content-Length: " in head:
                await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
            if (answered := answer(head.decode().splitlines()[0])) is None:
                return
            body = json.dumps(answered[1]).encode()
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (answered[0], len(body), body))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()
    finally:
        listening.close()


def sync(batch: str, *messages: tuple[str, str], limited: bool = False) -> Answer:
    events = [{"type": "m.room.message", "content": {"body": text, "message_id": name}} for name, text in messages]
    return 200, {"next_batch": batch, "rooms": {"join": {"!r": {"timeline": {"events": events, "limited": limited}}}}}


async def hears(*answers: Answer) -> tuple[list[str], list[str]]:
    """Return the messages that a client receives and the faults it finds, with these answers to its long polls."""
    left = [sync("s0"), *answers]
    faults: list[str] = []
    heard: list[str] = []
    async with server(lambda _line: left.pop(0) if left else None) as (host, port):
        client = MatrixClient(host, MatrixPlace("token", ""), faults)
        client.on_message = lambda _client, message_id, _now: heard.append(message_id)
        await client.connect(host, port, sends=False)
        async with asyncio.timeout(5):
            while left:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        client.leave()
    return heard, faults


async def test_messages_of_successive_polls_arrive_in_order() -> None:
    heard, faults = await hears(sync("s1", ("m-1", TEXT), ("m-2", TEXT)), sync("s2"), sync("s3", ("m-3", TEXT)))
    assert heard == ["m-1", "m-2", "m-3"]
    assert not faults


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (sync("s1", ("m-2", TEXT), ("m-1", TEXT)), "m-1 came after m-2"),
        (sync("s1", ("m-1", TEXT), ("m-1", TEXT)), "m-1 came after m-1"),
        (sync("s1", ("m-1", "Another")), "another text"),
        (sync("s1", limited=True), "left messages out"),
        ((500, {}), "a sync was refused: 500"),
    ],
)
async def test_unexpected_input_is_a_fault(answer: Answer, fault: str) -> None:
    _, faults = await hears(answer)
    assert any(fault in found for found in faults), faults


async def test_a_message_is_sent_after_the_previous_answer() -> None:
    lines: list[str] = []
    faults: list[str] = []

    def answer(line: str) -> Answer | None:
        if line.startswith("PUT"):
            lines.append(line)
            return (200 if len(lines) < 3 else 429), {"event_id": "$1"}
        return sync("s0") if "since" not in line else None

    async with server(answer) as (host, port):
        client = MatrixClient(host, MatrixPlace("token", "!r:localhost"), faults)
        acknowledged: list[str] = []
        client.on_ack = lambda _client, message_id, _now: acknowledged.append(message_id)
        await client.connect(host, port, sends=True)
        for message_id in ("m-1", "m-2", "m-3"):
            client.send_message(message_id)
        async with asyncio.timeout(5):
            while not faults:
                await asyncio.sleep(0.01)
        client.leave()
    assert acknowledged == ["m-1", "m-2"]
    assert [line.split("/")[-2].removesuffix(" HTTP") for line in lines] == ["m-1", "m-2", "m-3"]
    assert faults[0].startswith("a message was refused: 429")


async def test_a_refused_token_raises_invalid() -> None:
    async with server(lambda _line: (401, {"errcode": "M_UNKNOWN_TOKEN"})) as (host, port):
        client = MatrixClient(host, MatrixPlace("token", ""), [])
        with pytest.raises(Invalid, match="401"):
            await client.connect(host, port, sends=False)
        client.leave()
