"""HTTP answers are parsed however they are split, with a length and in chunks."""

import asyncio
import itertools
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.http import HttpConnection, parse_answer

WITH_LENGTH = b'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 7\r\n\r\n{"a":1}'
IN_CHUNKS = b'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'


@pytest.mark.parametrize(("answer", "status"), [(WITH_LENGTH, 200), (IN_CHUNKS, 404)])
def test_an_answer_is_complete_at_its_last_byte_and_not_before(answer: bytes, status: int) -> None:
    assert parse_answer(answer) == (status, b'{"a":1}', b"")
    assert parse_answer(answer + b"HTTP") == (status, b'{"a":1}', b"HTTP")
    assert [parse_answer(answer[:end]) for end in range(len(answer))] == [None] * len(answer)


def test_an_answer_without_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="without a length"):
        parse_answer(b"HTTP/1.1 200 OK\r\n\r\nabc")


@given(pause_after=st.lists(st.integers(0, 120), max_size=4))
async def test_a_request_waits_for_the_previous_answer(pause_after: list[int]) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (WITH_LENGTH, IN_CHUNKS):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            cuts = sorted({0, len(answer), *(cut for cut in pause_after if cut < len(answer))})
            for start, end in itertools.pairwise(cuts):
                writer.write(answer[start:end])
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with closing(server):
        ended = asyncio.get_running_loop().create_future()
        received: list[int] = []
        connection = HttpConnection(received.append, lambda: ended.set_result(None))
        await asyncio.get_running_loop().create_connection(lambda: connection, *server.sockets[0].getsockname())
        answers: list[tuple[int, bytes]] = []
        for number in (1, 2):
            connection.ask(b"GET /%d HTTP/1.1\r\n\r\n" % number, lambda *answer: answers.append(answer))
        await ended
    assert asked == [b"GET /1 HTTP/1.1\r\n\r\n", b"GET /2 HTTP/1.1\r\n\r\n"]
    assert answers == [(200, b'{"a":1}'), (404, b'{"a":1}')]
    assert sum(received) == len(WITH_LENGTH) + len(IN_CHUNKS)
