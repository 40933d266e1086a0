"""The campaign's proxies mangle wake-ups and cut before or after a COMMIT, and change nothing else."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from tests.campaign.faults.database import Scissors
from tests.campaign.faults.doorbell import Doorbell, value_end
from tests.campaign.faults.networks import cut_connection
from tests.harness.processes import free_port
from tests.harness.proxy import Proxy
from tests.waiting import DEADLINE, until

WAKE_UP = b"*3\r\n$7\r\nmessage\r\n$5\r\nitems\r\n$8\r\nring %d\r\n"
SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$5\r\nitems\r\n:1\r\n"


@pytest.mark.parametrize(
    "value",
    [
        b"+OK\r\n", b":7\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"$4\r\na\r\nb\r\n", b"*-1\r\n", b"*0\r\n",
        b"*2\r\n*1\r\n+a\r\n$2\r\nbb\r\n", b"%1\r\n+key\r\n:1\r\n", b">3\r\n+a\r\n+b\r\n+c\r\n", SUBSCRIBED,
    ],
)  # fmt: skip
def test_only_a_complete_value_has_an_end(value: bytes) -> None:
    assert value_end(value + b"+next\r\n", 0) == len(value)
    for short in range(len(value)):
        assert value_end(value[:short], 0) is None


@asynccontextmanager
async def saying(*chunks: bytes) -> AsyncIterator[int]:
    """A server that sends these chunks, a moment apart, to each client, then hangs up. Without chunks it is silent."""

    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await asyncio.sleep(0.002)
        if chunks:
            writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def heard(port: int) -> bytes:
    """Return everything that is received until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(DEADLINE):
        found = await reader.read()
    writer.transport.abort()
    return found


async def test_wake_ups_are_dropped_doubled_and_reordered_and_replies_are_not() -> None:
    numbers = range(100, 400)
    stream = SUBSCRIBED + b"".join((WAKE_UP % number) + b"+PONG\r\n" for number in numbers)
    pieces = [stream[at : at + 97] for at in range(0, len(stream), 97)]
    doorbell = Doorbell(random.Random(3))
    doorbell.rate = 0.3
    async with saying(*pieces) as port, Proxy(port, filters=doorbell.filter) as proxy:
        got = await heard(proxy.port)
    assert got.startswith(SUBSCRIBED)
    assert got.count(b"+PONG\r\n") == len(numbers)
    rung = [int(part[:3]) for part in got.split(b"ring ")[1:]]
    assert set(rung) <= set(numbers)
    assert len(set(numbers) - set(rung)) == doorbell.counts["dropped"] > 0
    assert len(rung) - len(set(rung)) == doorbell.counts["doubled"] > 0
    assert doorbell.counts["reordered"] > 0
    assert rung != sorted(rung)
    assert b"".join(sorted(got.replace(b"+PONG\r\n", b"").split(b"*3\r\n"))).count(b"message") == len(rung)


async def test_a_doorbell_that_is_not_mangled_passes_everything() -> None:
    stream = SUBSCRIBED + b"".join(WAKE_UP % number for number in range(100, 150))
    async with saying(stream) as port, Proxy(port, filters=Doorbell(random.Random(1)).filter) as proxy:
        assert await heard(proxy.port) == stream


def said(kind: bytes, body: bytes) -> bytes:
    """A message to PostgreSQL."""
    return kind + (len(body) + 4).to_bytes(4, "big") + body


TLS, STARTUP = said(b"", (80877103).to_bytes(4, "big")), said(b"", (196608).to_bytes(4, "big") + b"user\0ana\0\0")
PREPARED = said(b"P", b"batch_7\0COMMIT\0\0\0") + said(b"P", b"batch_8\0SELECT\0\0\0")
SIMPLE, EXECUTED = said(b"Q", b"COMMIT\0"), said(b"B", b"\0batch_7\0\0\0\0\0\0\0")
HARMLESS = said(b"Q", b"SELECT 'COMMIT'\0") + said(b"B", b"\0batch_8\0\0\0\0\0\0\0")


@pytest.mark.parametrize("commit", [SIMPLE, EXECUTED], ids=["simple", "prepared"])
@pytest.mark.parametrize("seed", range(4))
async def test_a_commit_is_cut_off_before_or_after_it_arrived(seed: int, commit: bytes) -> None:
    arrived = b""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        try:
            while chunk := await reader.read(1024):
                arrived += chunk
                writer.write(b"done")
        except ConnectionError:
            pass
        writer.close()

    scissors = Scissors(random.Random(seed))
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        async with Proxy(server.sockets[0].getsockname()[1], filters=scissors.filter) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            for message in (TLS, STARTUP, PREPARED, commit, HARMLESS):  # scissors that are not open cut nothing
                scissors.open = int(message is HARMLESS)  # open ones cut only at a COMMIT
                for piece in (message[:7], message[7:]):
                    writer.write(piece)
                    assert await asyncio.wait_for(reader.readexactly(4), DEADLINE) == b"done"
            before = arrived
            writer.write(commit)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.readexactly(1), DEADLINE)
            [how] = scissors.counts
            assert arrived == (before + commit if how == "after" else before)


async def from_port(source: int, to: int) -> asyncio.StreamWriter:
    """Connect to a port from a source port that others use, too."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.setblocking(False)
    client.bind(("127.0.0.1", source))
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", to))
    _, writer = await asyncio.open_connection(sock=client)
    return writer


async def test_the_connection_of_a_device_is_cut_and_not_one_from_the_same_port_to_another_process() -> None:
    async with saying() as server, Proxy(server) as one, Proxy(server) as two:
        source = free_port()
        others, mine = await from_port(source, one.port), await from_port(source, two.port)
        await until(lambda: one.links and two.links)
        wire = SimpleNamespace(is_open=True, transport=mine.transport)
        device = SimpleNamespace(line=SimpleNamespace(ways=[one, two], wire=wire), caught_up=asyncio.Event())
        stage = Mock(active=lambda: [device], dice=random.Random(1))
        assert cut_connection(stage) is device
        await until(lambda: not two.links)
        assert one.links
        for writer in (others, mine):
            writer.transport.abort()
