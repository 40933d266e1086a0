"""Connections that are kept, end or hang: only requests that were certainly not processed are sent again."""

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
from tests.waiting import DEADLINE, until

REFUSED_STREAM, CANCEL = 7, 8
LAST_OF_ALL = 2**31 - 1


def the_url(server: Server, path: str = "/push") -> Url:
    return service_url(server.url + path)


def first(behaviour: Behaviour, *, then: Behaviour | None = None) -> object:
    """An `answer` that misbehaves once, and then answers `then`."""
    left = [behaviour]
    return lambda asked: left.pop() if left else (then or Say())


def test_sequential_requests_share_one_connection(server: Server, transport: Transport) -> None:
    server.answer = lambda asked: Say(201, {"x-who": "me", "location": "/1"}, b"hello")
    for _ in range(3):
        reply = transport.post(the_url(server, "/a?b=c"), {"ttl": "5"}, b"body")
        assert (reply.status, reply.body, reply.headers["location"]) == (201, b"hello", "/1")
    assert server.connections == 1
    asked = server.asked[0]
    assert (asked.path, asked.body, asked.headers["ttl"]) == ("/a?b=c", b"body", "5")
    assert asked.headers[":authority"] == f"localhost:{server.port}"


def test_a_server_without_http2_is_spoken_to_in_http1(serve: Serve, transport: Transport) -> None:
    server = serve(http1=True)
    server.answer = lambda asked: Say(429, {"Retry-After": "7"}, b"slow")
    for _ in range(2):
        reply = transport.post(the_url(server), {}, b"body")
        assert (reply.status, reply.body, reply.retry_after) == (429, b"slow", 7)
    assert server.connections == 1
    assert server.asked[1].body == b"body"


def test_a_server_may_allow_a_single_stream(serve: Serve, transport: Transport) -> None:
    server = serve(most_streams=1)
    for _ in range(3):
        assert transport.post(the_url(server), {}, b"").status == 200
    assert server.connections == 1


def test_redirects_are_not_followed(server: Server, serve: Serve, transport: Transport) -> None:
    other = serve()
    server.answer = lambda asked: Say(307, {"location": other.url})
    assert transport.post(the_url(server), {}, b"").status == 307
    assert other.connections == 0
    assert len(server.asked) == 1


def test_no_library_logs_secrets(server: Server, transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("hpack.hpack").info("heard")
    server.answer = lambda asked: Say(201, {"location": "/secret-place"})
    transport.post(the_url(server, "/device/secret-token"), {"authorization": "bearer secret-jwt"}, b"secret-words")
    assert "heard" in caplog.text
    assert "secret" not in caplog.text


# --- Connections that end ---------------------------------------------------------------------


def test_an_answer_after_goaway_is_still_read(server: Server, transport: Transport) -> None:
    server.answer = first(Say(200, body=b"done", leaving=LAST_OF_ALL))  # type: ignore[assignment]
    assert transport.post(the_url(server), {}, b"").body == b"done"
    assert transport.post(the_url(server), {}, b"").status == 200
    assert server.connections == 2, "a connection with GOAWAY takes no further requests"
    assert len(server.asked) == 2


@pytest.mark.parametrize("behaviour", [GoAway(last=0), GoAway(last=0, code=2), Reset(REFUSED_STREAM)])
def test_an_unprocessed_request_is_sent_again_on_a_new_connection(
    server: Server, transport: Transport, behaviour: Behaviour
) -> None:
    server.answer = first(behaviour)  # type: ignore[assignment]
    assert transport.post(the_url(server), {}, b"x").status == 200
    assert [asked.connection for asked in server.asked] == [0, 1]


def test_an_unprocessed_request_is_sent_again_only_once(server: Server, transport: Transport) -> None:
    server.answer = lambda asked: GoAway(last=0)
    with pytest.raises(Unreachable, match="refused"):
        transport.post(the_url(server), {}, b"x")
    assert len(server.asked) == 2


def test_a_stream_after_the_last_of_goaway_is_sent_again(server: Server, transport: Transport) -> None:
    transport.post(the_url(server), {}, b"1")
    server.answer = first(GoAway(last=1))  # type: ignore[assignment]
    assert transport.post(the_url(server), {}, b"2").status == 200
    assert [(asked.body, asked.connection) for asked in server.asked] == [(b"1", 0), (b"2", 0), (b"2", 1)]


@pytest.mark.parametrize("behaviour", [GoAway(last=1), Close(), Reset(CANCEL)])
def test_a_possibly_processed_request_is_not_sent_again(
    server: Server, transport: Transport, behaviour: Behaviour
) -> None:
    server.answer = lambda asked: behaviour
    with pytest.raises(Unreachable):
        transport.post(the_url(server), {}, b"x")
    assert len(server.asked) == 1
    server.answer = lambda asked: Say()
    assert transport.post(the_url(server), {}, b"x").status == 200
    assert server.connections == 2, "the failed connection is not used again"


@pytest.mark.parametrize("http1", [False, True])
def test_a_connection_closed_while_idle_is_replaced(serve: Serve, transport: Transport, http1: bool) -> None:
    server = serve(http1=http1)
    transport.post(the_url(server), {}, b"1")
    server.drop()
    time.sleep(0.05)
    assert transport.post(the_url(server), {}, b"2").status == 200
    assert [asked.connection for asked in server.asked] == [0, 1]


async def test_an_idle_connection_is_closed_after_its_keepalive(serve: Serve, tls: SSLContext) -> None:
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
    assert other.connections == 1, "a closed connection freed its slot"
    transport.close()


# --- Time and size ----------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", [Hang(), Drip(0.2)])
def test_an_answer_has_a_deadline_despite_other_frames(
    server: Server, transport: Transport, behaviour: Behaviour
) -> None:
    server.answer = lambda asked: behaviour
    began = time.monotonic()
    with pytest.raises(Unreachable, match="no answer in time"):
        transport.post(the_url(server), {}, b"")
    assert LIMITS.answer <= time.monotonic() - began < LIMITS.answer + DEADLINE
    assert len(server.asked) == 1


def test_a_flood_of_other_frames_ends_the_connection(server: Server, tls: SSLContext) -> None:
    transport = Transport(tls=tls, limits=TransportLimits(answer=20))
    unknown = b"\x00\x40\x00\x42" + bytes(5) + bytes(16_384)
    server.answer = lambda asked: Drip(0, unknown)
    with pytest.raises(Unreachable, match="reset"):
        transport.post(the_url(server), {}, b"")


def test_a_long_answer_is_read_up_to_the_limit(server: Server, transport: Transport) -> None:
    server.answer = lambda asked: Say(400, body=b"x" * MOST_BODY * 3)
    reply = transport.post(the_url(server), {}, b"")
    assert (reply.status, len(reply.body)) == (400, MOST_BODY)
    transport.post(the_url(server), {}, b"")
    assert server.connections == 2, "the first would have to read the rest of the body"


def test_an_unreachable_server_means_no_connection(server: Server, transport: Transport) -> None:
    url = the_url(server)
    server.stop()
    with pytest.raises(Unreachable) as caught:
        transport.post(url, {}, b"")
    assert (caught.value.reason, caught.value.was_never_sent) == ("no connection", False)


def test_an_untrusted_certificate_is_refused(server: Server) -> None:
    with pytest.raises(Unreachable, match="certificate not accepted"):
        Transport(tls=create_default_context(), limits=LIMITS).post(the_url(server), {}, b"")
    assert not server.asked


def test_connections_are_limited_in_number(server: Server, tls: SSLContext) -> None:
    transport = Transport(tls=tls, limits=TransportLimits(answer=20, wait=0.2, connections=1))
    entered, go = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Say:
        entered.set()
        go.wait(DEADLINE)
        return Say()

    server.answer = answer
    thread = threading.Thread(target=transport.post, args=(the_url(server), {}, b""))
    thread.start()
    assert entered.wait(DEADLINE)
    with pytest.raises(Unreachable) as caught:
        transport.post(the_url(server), {}, b"")
    assert (caught.value.reason, caught.value.was_never_sent) == ("no free connection", True)
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


def test_failed_requests_free_their_connection_slot(server: Server, tls: SSLContext) -> None:
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


def test_a_forked_process_opens_its_own_connections(server: Server, transport: Transport, tmp_path: Path) -> None:
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
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("99999999999999", 86_400), ("soon", None), ("-5", None), ("", None), ("²", None)],
)
def test_retry_after_in_seconds_is_parsed(header: str, seconds: float | None) -> None:
    assert Reply(503, {"retry-after": header}, b"").retry_after == seconds


def test_retry_after_as_a_date_is_parsed() -> None:
    def reply(minutes: int) -> Reply:
        when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        return Reply(503, {"retry-after": format_datetime(when, usegmt=True)}, b"")

    assert reply(5).retry_after == pytest.approx(300, abs=3)
    assert reply(-5).retry_after == 0
