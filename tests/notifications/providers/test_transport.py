"""Connections that are kept, that end, that hang: what was certainly not processed is sent again, nothing else."""

import asyncio
import datetime
import logging
import os
import threading
import time
from email.utils import format_datetime
from pathlib import Path
from ssl import SSLContext, create_default_context

import pytest

from notifications.providers.addresses import Url, service_url
from notifications.providers.connection import MOST_BODY, Reply, TransportLimits
from notifications.providers.transport import Transport, Unreachable
from tests.notifications.providers.conftest import LIMITS, Serve
from tests.notifications.providers.server import Asked, Behaviour, Close, Drip, GoAway, Hang, Reset, Say, Server
from tests.waiting import until

REFUSED_STREAM, CANCEL = 7, 8
LAST_OF_ALL = 2**31 - 1


def the_url(server: Server, path: str = "/push") -> Url:
    return service_url(server.url + path)


def first(behaviour: Behaviour, *, then: Behaviour | None = None) -> object:
    """An `answer` that does something else once."""
    left = [behaviour]
    return lambda asked: left.pop() if left else (then or Say())


def test_one_request_after_another_goes_over_one_connection(server: Server, transport: Transport) -> None:
    server.answer = lambda asked: Say(201, {"x-who": "me", "location": "/1"}, b"hello")
    for _ in range(3):
        reply = transport.post(the_url(server, "/a?b=c"), {"ttl": "5"}, b"body")
        assert (reply.status, reply.body, reply.headers["location"]) == (201, b"hello", "/1")
    assert server.connections == 1
    asked = server.asked[0]
    assert (asked.path, asked.body, asked.headers["ttl"]) == ("/a?b=c", b"body", "5")
    assert asked.headers[":authority"] == f"localhost:{server.port}"


def test_http_1_1_is_spoken_where_that_is_all(serve: Serve, transport: Transport) -> None:
    server = serve(http1=True)
    server.answer = lambda asked: Say(429, {"Retry-After": "7"}, b"slow")
    for _ in range(2):
        reply = transport.post(the_url(server), {}, b"body")
        assert (reply.status, reply.body, reply.retry_after) == (429, b"slow", 7)
    assert server.connections == 1
    assert server.asked[1].body == b"body"


def test_apple_allows_a_single_stream_at_first(serve: Serve, transport: Transport) -> None:
    server = serve(most_streams=1)
    for _ in range(3):
        assert transport.post(the_url(server), {}, b"").status == 200
    assert server.connections == 1


def test_redirects_are_not_followed(server: Server, serve: Serve, transport: Transport) -> None:
    elsewhere = serve()
    server.answer = lambda asked: Say(307, {"location": elsewhere.url})
    assert transport.post(the_url(server), {}, b"").status == 307
    assert elsewhere.connections == 0
    assert len(server.asked) == 1


def test_no_library_writes_what_is_secret(
    server: Server, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("hpack.hpack").info("heard")
    server.answer = lambda asked: Say(201, {"location": "/secret-place"})
    transport.post(the_url(server, "/device/secret-token"), {"authorization": "bearer secret-jwt"}, b"secret-words")
    assert "heard" in caplog.text
    assert "secret" not in caplog.text


# --- Connections that end ---------------------------------------------------------------------


def test_a_server_that_leaves_still_gives_its_answer(server: Server, transport: Transport) -> None:
    server.answer = first(Say(200, body=b"done", leaving=LAST_OF_ALL))  # type: ignore[assignment]
    assert transport.post(the_url(server), {}, b"").body == b"done"
    assert transport.post(the_url(server), {}, b"").status == 200
    assert server.connections == 2, "nothing more is asked of who is leaving"
    assert len(server.asked) == 2


@pytest.mark.parametrize("behaviour", [GoAway(last=0), GoAway(last=0, code=2), Reset(REFUSED_STREAM)])
def test_what_was_not_processed_is_sent_again_on_a_fresh_connection(
    server: Server, transport: Transport, behaviour: Behaviour
) -> None:
    server.answer = first(behaviour)  # type: ignore[assignment]
    assert transport.post(the_url(server), {}, b"x").status == 200
    assert [asked.connection for asked in server.asked] == [0, 1]


def test_but_only_once(server: Server, transport: Transport) -> None:
    server.answer = lambda asked: GoAway(last=0)
    with pytest.raises(Unreachable, match="refused"):
        transport.post(the_url(server), {}, b"x")
    assert len(server.asked) == 2


def test_a_later_stream_than_the_last_was_not_processed(server: Server, transport: Transport) -> None:
    transport.post(the_url(server), {}, b"1")
    server.answer = first(GoAway(last=1))  # type: ignore[assignment]
    assert transport.post(the_url(server), {}, b"2").status == 200
    assert [(asked.body, asked.connection) for asked in server.asked] == [(b"1", 0), (b"2", 0), (b"2", 1)]


@pytest.mark.parametrize("behaviour", [GoAway(last=1), Close(), Reset(CANCEL)])
def test_what_may_have_been_processed_is_not_sent_again(
    server: Server, transport: Transport, behaviour: Behaviour
) -> None:
    server.answer = lambda asked: behaviour
    with pytest.raises(Unreachable):
        transport.post(the_url(server), {}, b"x")
    assert len(server.asked) == 1
    server.answer = lambda asked: Say()
    assert transport.post(the_url(server), {}, b"x").status == 200
    assert server.connections == 2, "the connection on which it failed is not used again"


@pytest.mark.parametrize("http1", [False, True])
def test_a_connection_that_was_closed_while_idle_costs_nothing(serve: Serve, transport: Transport, http1: bool) -> None:
    server = serve(http1=http1)
    transport.post(the_url(server), {}, b"1")
    server.drop()
    time.sleep(0.05)
    assert transport.post(the_url(server), {}, b"2").status == 200
    assert [asked.connection for asked in server.asked] == [0, 1]


async def test_an_idle_connection_is_closed_in_time(serve: Serve, tls: SSLContext) -> None:
    server, other = serve(), serve()
    transport = Transport(tls=tls, limits=TransportLimits(keepalive=0.4, connections=2))
    transport.post(the_url(server), {}, b"")
    await asyncio.sleep(0.5)
    transport.post(the_url(server), {}, b"")
    assert server.connections == 2
    await asyncio.sleep(0.5)
    transport.post(the_url(other), {}, b"")
    await until(lambda: server.open == 0)
    transport.post(the_url(server), {}, b"")
    transport.post(the_url(other), {}, b"")
    assert other.connections == 1, "what was closed left room for another"
    transport.close()


# --- Time and size ----------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", [Hang(), Drip(0.2)])
def test_an_answer_has_a_deadline_whatever_else_is_said(
    server: Server, transport: Transport, behaviour: Behaviour
) -> None:
    server.answer = lambda asked: behaviour
    began = time.monotonic()
    with pytest.raises(Unreachable, match="no answer in time"):
        transport.post(the_url(server), {}, b"")
    assert LIMITS.answer <= time.monotonic() - began < LIMITS.answer + 5
    assert len(server.asked) == 1


def test_a_flood_of_other_words_is_not_read_to_its_end(server: Server, tls: SSLContext) -> None:
    transport = Transport(tls=tls, limits=TransportLimits(answer=20))
    unknown = b"\x00\x40\x00\x42" + bytes(5) + bytes(16_384)
    server.answer = lambda asked: Drip(0, unknown)
    with pytest.raises(Unreachable, match="reset"):
        transport.post(the_url(server), {}, b"")


def test_of_a_long_answer_the_beginning_is_read(server: Server, transport: Transport) -> None:
    server.answer = lambda asked: Say(400, body=b"x" * MOST_BODY * 3)
    reply = transport.post(the_url(server), {}, b"")
    assert (reply.status, len(reply.body)) == (400, MOST_BODY)
    transport.post(the_url(server), {}, b"")
    assert server.connections == 2, "the rest would have to be read first"


def test_nobody_is_there(server: Server, transport: Transport) -> None:
    url = the_url(server)
    server.stop()
    with pytest.raises(Unreachable) as caught:
        transport.post(url, {}, b"")
    assert (caught.value.reason, caught.value.is_ours) == ("no connection", False)


def test_a_certificate_of_a_stranger(server: Server) -> None:
    with pytest.raises(Unreachable, match="certificate not accepted"):
        Transport(tls=create_default_context(), limits=LIMITS).post(the_url(server), {}, b"")
    assert not server.asked


def test_no_more_connections_than_allowed(server: Server, tls: SSLContext) -> None:
    transport = Transport(tls=tls, limits=TransportLimits(answer=20, wait=0.2, connections=1))
    entered, go = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Say:
        entered.set()
        go.wait(5)
        return Say()

    server.answer = answer
    thread = threading.Thread(target=transport.post, args=(the_url(server), {}, b""))
    thread.start()
    assert entered.wait(5)
    with pytest.raises(Unreachable) as caught:
        transport.post(the_url(server), {}, b"")
    assert (caught.value.reason, caught.value.is_ours) == ("no free connection", True)
    go.set()
    thread.join()
    assert transport.post(the_url(server), {}, b"").status == 200
    assert server.connections == 1
    transport.close()


def test_an_idle_connection_makes_room_for_another_origin(serve: Serve, tls: SSLContext) -> None:
    one, other = serve(), serve()
    transport = Transport(tls=tls, limits=TransportLimits(wait=0.2, connections=1))
    for server in (one, other, one):
        assert transport.post(the_url(server), {}, b"").status == 200
    assert (one.connections, other.connections) == (2, 1)
    transport.close()


def test_failures_give_their_place_back(server: Server, tls: SSLContext) -> None:
    transport = Transport(tls=tls, limits=TransportLimits(wait=0.2, connections=1))
    server.answer = lambda asked: Close()
    for _ in range(3):
        with pytest.raises(Unreachable, match="broken off"):
            transport.post(the_url(server), {}, b"")
    gone = service_url("https://localhost:1/")
    for _ in range(3):
        with pytest.raises(Unreachable, match="no connection"):
            transport.post(gone, {}, b"")
    server.answer = lambda asked: Say()
    assert transport.post(the_url(server), {}, b"").status == 200
    transport.close()


def test_a_forked_process_makes_connections_of_its_own(server: Server, transport: Transport, tmp_path: Path) -> None:
    transport.post(the_url(server), {}, b"parent")
    child = os.fork()
    if not child:
        ok = False
        try:
            ok = transport.post(the_url(server), {}, b"child").status == 200
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    transport.post(the_url(server), {}, b"parent")
    assert [(a.body, a.connection) for a in server.asked] == [(b"parent", 0), (b"child", 1), (b"parent", 0)]


# --- Retry-After ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120), ("0", 0), ("99999999999999", 86_400), ("soon", None), ("-5", None), ("", None), ("²", None)],
)
def test_retry_after_in_seconds(said: str, seconds: float | None) -> None:
    assert Reply(503, {"retry-after": said}, b"").retry_after == seconds


def test_retry_after_as_a_date() -> None:
    def reply(minutes: int) -> Reply:
        when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        return Reply(503, {"retry-after": format_datetime(when, usegmt=True)}, b"")

    assert reply(5).retry_after == pytest.approx(300, abs=3)
    assert reply(-5).retry_after == 0
