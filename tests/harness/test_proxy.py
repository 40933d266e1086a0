"""The proxy's faults are what they say."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.harness.proxy import Direction, Filter, Proxy
from tests.waiting import DEADLINE


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A server that says everything back."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1024):
                writer.write(chunk)
        except ConnectionError:
            pass
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def said_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    return await asyncio.wait_for(reader.readexactly(len(text)), DEADLINE)


async def stays_silent(reader: asyncio.StreamReader) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.15)


async def test_it_forwards_both_ways_and_ends_with_either_side(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said_back(reader, writer, b"hello") == b"hello"
        writer.write_eof()
        assert await reader.read() == b""


async def test_latency_is_added_to_each_direction_and_does_not_limit_throughput(echo: int) -> None:
    async with Proxy(echo, latency=0.1) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        begun = asyncio.get_running_loop().time()
        for _ in range(100):
            writer.write(b"0123456789")
            await asyncio.sleep(0.005)
        await reader.readexactly(1_000)
        assert 0.2 <= asyncio.get_running_loop().time() - begun < 100 * 0.1, "each write waited for the one before"


async def test_a_cut_is_a_reset_on_the_clients_side(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await said_back(reader, writer, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), DEADLINE)


async def test_silence_holds_bytes_back_until_it_heals(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await said_back(reader, writer, b"hello")
        proxy.silence()
        writer.write(b"later")
        await stays_silent(reader)
        proxy.heal()
        assert await asyncio.wait_for(reader.readexactly(5), DEADLINE) == b"later"


async def test_silence_in_one_direction_lets_the_other_through(echo: int) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readexactly(5))
        writer.write(b"reply")

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            proxy.silence("down")
            writer.write(b"hello")
            assert await asyncio.wait_for(heard.get(), DEADLINE) == b"hello"
            await stays_silent(reader)
            proxy.heal()
            assert await asyncio.wait_for(reader.readexactly(5), DEADLINE) == b"reply"


async def test_dropped_bytes_never_arrive(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.drop("down")
        writer.write(b"lost")
        await stays_silent(reader)
        proxy.heal()
        assert await said_back(reader, writer, b"found") == b"found"


async def test_a_refusing_proxy_resets_new_connections_until_it_heals(echo: int) -> None:
    async with Proxy(echo) as proxy:
        proxy.refuse()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            await said_back(reader, writer, b"hello")
        proxy.heal()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said_back(reader, writer, b"hello") == b"hello"


async def test_silence_meets_new_connections_too(echo: int) -> None:
    async with Proxy(echo) as proxy:
        proxy.silence()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello")
        await stays_silent(reader)
        proxy.cut()
        proxy.heal()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), DEADLINE)


async def test_one_link_can_be_cut_without_the_others(echo: int) -> None:
    async with Proxy(echo) as proxy:
        first = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said_back(*first, b"hello") == b"hello"
        [link] = proxy.links
        second = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said_back(*second, b"hello") == b"hello"
        link.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(first[0].read(), DEADLINE)
        assert await said_back(*second, b"still here") == b"still here"


async def test_a_stranded_connection_hears_nothing_any_more_and_new_ones_work(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await said_back(reader, writer, b"hello")
        (link,) = proxy.links
        proxy.strand()
        proxy.heal()
        writer.write(b"lost")
        link.server.reset()
        await stays_silent(reader)
        other = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said_back(*other, b"hello") == b"hello"
        other[1].close()
        link.cut()
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_link_is_forgotten_when_both_sides_have_ended(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said_back(reader, writer, b"hello") == b"hello"
        assert proxy.open_connections == 1
        writer.close()
        async with asyncio.timeout(DEADLINE):
            while proxy.open_connections:
                await asyncio.sleep(0.01)


async def test_a_filter_may_change_what_passes_and_send_more_later(echo: int) -> None:
    class Shout(Filter):
        def passes(self, data: bytes, direction: Direction) -> bytes:
            if direction == "down":
                asyncio.get_running_loop().call_later(0.01, self.link.write, b"!", "down")
                return data.upper()
            return data

    async with Proxy(echo, filters=Shout) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(6), DEADLINE) == b"HELLO!"


async def test_a_peer_that_does_not_read_stops_the_sender() -> None:
    """Nothing is piled up in the proxy: what nobody reads fills the sender's own buffers."""
    gone = asyncio.Event()

    async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        await gone.wait()
        writer.transport.abort()

    async with await asyncio.start_server(ignore, "127.0.0.1", 0) as server:
        async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            with pytest.raises(TimeoutError):
                for _ in range(1000):
                    writer.write(b"x" * 65536)
                    await asyncio.wait_for(writer.drain(), 0.5)
            writer.transport.abort()
            gone.set()
