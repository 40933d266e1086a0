"""What the doubles of providers do wrong on demand, as a client sees it over HTTP/2 and HTTP/1.1."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from functools import cache

import pytest

from tests.harness.http2_client import Answer, Ended, Http2Client
from tests.harness.providers.apns import Apns
from tests.harness.providers.web_push import WebPush
from tests.harness.test_apns import provider_token
from tests.harness.test_web_push import encrypted, vapid
from tests.waiting import DEADLINE


@pytest.fixture(scope="module")
def running() -> Iterator[Apns]:
    with Apns() as double:
        yield double


@pytest.fixture
def apns(running: Apns) -> Iterator[Apns]:
    if not running.program.running:
        running.start()
    running.forget()
    yield running
    if running.program.running:
        running.works()


@pytest.fixture
def connection(apns: Apns) -> Iterator[Http2Client]:
    client = Http2Client(apns.port, apns.ca_file)
    yield client
    client.close()


@cache
def authorization(apns: Apns) -> str:
    """One for all requests: a connection that shows another too soon is refused."""
    return f"bearer {provider_token(apns)}"


def send(apns: Apns, connection: Http2Client, token: str) -> int:
    headers = {"authorization": authorization(apns), "apns-topic": apns.settings()["topic"]}
    body = json.dumps({"aps": {"alert": "hi"}}).encode()
    return connection.send(f"/3/device/{token}", headers | {"apns-push-type": "alert"}, body)


def push(apns: Apns, connection: Http2Client, token: str) -> Answer:
    return connection.answer(send(apns, connection, token))


def outcome(apns: Apns) -> tuple[int | None, str, bool]:
    record = apns.received()[-1]
    return record.status, record.how, record.delivered


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "TooManyRequests"), (500, "InternalServerError"), (503, "ServiceUnavailable"), (410, "Unregistered")],
)
def test_a_status(apns: Apns, connection: Http2Client, status: int, reason: str) -> None:
    apns.fails(status, retry_after=2.5)
    answer = push(apns, connection, apns.device())
    assert (answer.status, answer.json["reason"], answer.headers["retry-after"]) == (status, reason, "2.5")
    assert outcome(apns) == (status, "answered", False)
    assert apns.received()[-1].reason == reason
    assert ("timestamp" in answer.json) == (status == 410)


def test_for_one_token_for_the_next_requests_and_until_told_otherwise(apns: Apns, connection: Http2Client) -> None:
    one, other = apns.device(), apns.device()
    apns.fails(503, token=one)
    apns.fails(500, times=2)
    assert [push(apns, connection, token).status for token in (one, other, one, other, other)] == [
        503, 500, 503, 500, 200,
    ]  # fmt: skip
    apns.works()
    assert push(apns, connection, one).status == 200


def test_a_reason_of_its_own(apns: Apns, connection: Http2Client) -> None:
    apns.fails(503, reason="Shutdown")
    assert push(apns, connection, apns.device()).json["reason"] == "Shutdown"


def test_slow(apns: Apns, connection: Http2Client) -> None:
    late, soon = apns.device(), apns.device()
    push(apns, connection, soon)  # until then one stream is allowed
    apns.forget()
    apns.fails("slow", seconds=3, token=late)
    begun = time.monotonic()
    first = send(apns, connection, late)
    assert push(apns, connection, soon).status == 200
    assert [record.status for record in apns.received()] == [None, 200]
    assert connection.answer(first).status == 200
    assert time.monotonic() - begun >= 3
    assert [(record.status, record.how) for record in apns.received()] == [(200, "slow"), (200, "answered")]


def test_a_client_that_does_not_wait_for_a_slow_answer(apns: Apns) -> None:
    apns.fails("slow", seconds=0.2)
    connection = Http2Client(apns.port, apns.ca_file)
    send(apns, connection, apns.device())
    apns.waits_for(lambda received: len(received) == 1)
    connection.close()
    apns.waits_for(lambda received: received[0].how == "gone")
    assert outcome(apns) == (None, "gone", True)


def test_cut_after_it_was_taken(apns: Apns, connection: Http2Client) -> None:
    token = apns.device()
    apns.fails("cut", times=1)
    with pytest.raises(ConnectionResetError):
        push(apns, connection, token)
    assert outcome(apns) == (None, "cut", True)
    again = Http2Client(apns.port, apns.ca_file)
    assert push(apns, again, token).status == 200
    assert len(apns.delivered(token)) == 2
    again.close()


def test_reset_of_open_connections(apns: Apns, connection: Http2Client) -> None:
    token = apns.device()
    apns.fails("reset", token=token)
    assert push(apns, connection, apns.device()).status == 200
    with pytest.raises(ConnectionResetError):
        push(apns, connection, token)
    assert outcome(apns) == (None, "reset", False)


def test_reset_of_new_connections_right_after_the_handshake(apns: Apns) -> None:
    apns.fails("reset", times=1)
    token = apns.device()
    with pytest.raises(ConnectionError):
        push(apns, Http2Client(apns.port, apns.ca_file), token)
    assert apns.received() == []
    second = Http2Client(apns.port, apns.ca_file)
    assert push(apns, second, apns.device()).status == 200
    second.close()


def test_silent(apns: Apns) -> None:
    apns.fails("silent")
    connection = Http2Client(apns.port, apns.ca_file)
    connection.set_timeout(0.3)
    with pytest.raises(TimeoutError):
        push(apns, connection, apns.device())
    assert outcome(apns) == (None, "silent", False)
    connection.close()


def test_goaway_for_a_request_and_an_answer_to_those_before(apns: Apns, connection: Http2Client) -> None:
    slow, refused = apns.device(), apns.device()
    push(apns, connection, apns.device())  # until then one stream is allowed
    apns.fails("slow", seconds=0.2, token=slow)
    apns.fails("goaway", token=refused)
    before = send(apns, connection, slow)
    stream = send(apns, connection, refused)
    assert connection.answer(before).status == 200
    with pytest.raises(Ended):
        connection.answer(stream)
    assert connection.goaway == (before, b'{"reason":"Shutdown"}')
    assert outcome(apns) == (None, "goaway", False)


def test_goaway_at_once(apns: Apns, connection: Http2Client) -> None:
    assert push(apns, connection, apns.device()).status == 200
    apns.goes_away()
    with pytest.raises(Ended):
        connection.receive()
        connection.receive()
    assert connection.goaway == (1, b'{"reason":"Shutdown"}')


def test_frozen(apns: Apns, connection: Http2Client) -> None:
    token = apns.device()
    apns.freeze()
    try:
        with pytest.raises(TimeoutError):
            Http2Client(apns.port, apns.ca_file, timeout=0.3)
        stream = send(apns, connection, token)
    finally:
        apns.thaw()
    assert connection.answer(stream).status == 200


def test_a_restart_keeps_port_and_records(apns: Apns, connection: Http2Client) -> None:
    gone, port, key = apns.device(), apns.port, apns.settings()["key"]
    apns.gone(gone)
    assert push(apns, connection, apns.device()).status == 200
    apns.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    assert len(apns.delivered()) == 1
    apns.start()
    assert (apns.port, apns.settings()["key"]) == (port, key)
    again = Http2Client(apns.port, apns.ca_file)
    assert push(apns, again, gone).status == 410
    assert [record.number for record in apns.received()] == [apns.received()[0].number, apns.received()[0].number + 1]
    again.close()
    apns.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)


def test_a_stream_too_many_is_refused_and_the_others_are_not(apns: Apns, connection: Http2Client) -> None:
    apns.fails("slow", seconds=0.2, times=1)
    first, second = (send(apns, connection, apns.device()) for _ in range(2))
    assert connection.answer(second).reset
    assert connection.answer(first).status == 200
    assert len(apns.received()) == 1


def test_connections_are_counted_and_breaches_of_the_protocol_kept(apns: Apns) -> None:
    opened, open_ = apns.connections()
    connection = Http2Client(apns.port, apns.ca_file)
    push(apns, connection, apns.device())
    assert apns.connections() == (opened + 1, open_ + 1)
    before = len(apns.complaints())
    context = ssl.create_default_context(cafile=str(apns.ca_file))
    with context.wrap_socket(socket.create_connection(("127.0.0.1", apns.port)), server_hostname="localhost") as plain:
        plain.settimeout(DEADLINE)
        try:
            assert plain.recv(1) == b""
        except OSError:
            pass
    apns.waits_for(lambda _: len(apns.complaints()) == before + 1)
    assert "http/1.1" in apns.complaints()[-1]
    connection.close()


def test_a_missing_push_is_reported(apns: Apns, connection: Http2Client) -> None:
    push(apns, connection, apns.device())
    assert len(apns.arrives(1)) == 1
    with pytest.raises(AssertionError, match=r"apns did not receive it within 0\.1 s"):
        apns.arrives(2, timeout=0.1)


def test_over_http_1() -> None:
    with WebPush() as web_push:
        subscription = web_push.subscribe()
        context = ssl.create_default_context(cafile=str(web_push.ca_file))

        def post(timeout: float = DEADLINE) -> int:
            connection = http.client.HTTPSConnection("127.0.0.1", web_push.port, timeout=timeout, context=context)
            headers = {"TTL": "60", "Content-Encoding": "aes128gcm", "Authorization": vapid(web_push)}
            path = subscription.endpoint.removeprefix(web_push.settings()["url"])
            try:
                connection.request("POST", path, encrypted(subscription, b"{}"), headers)
                return connection.getresponse().status
            finally:
                connection.close()

        web_push.fails(429, times=1, token=subscription.endpoint)
        assert [post(), post()] == [429, 201]
        web_push.fails("cut", times=1)
        with pytest.raises((ConnectionError, ssl.SSLEOFError)):
            post()
        web_push.fails("reset", times=1)
        with pytest.raises((ConnectionError, ssl.SSLEOFError)):
            post()
        web_push.fails("silent", times=1)
        with pytest.raises(TimeoutError):
            post(0.3)
        web_push.fails("goaway", times=1)
        with pytest.raises(http.client.RemoteDisconnected):
            post()
        web_push.fails("slow", seconds=0.2, times=1)
        assert [post(), post()] == [201, 201]
        assert [(record.how, record.delivered) for record in web_push.received()] == [
            ("answered", False), ("answered", True), ("cut", True), ("silent", False), ("goaway", False),
            ("slow", True), ("answered", True),
        ]  # fmt: skip


def test_requests_on_one_http_1_connection_are_answered_in_order() -> None:
    with WebPush() as web_push:
        subscription = web_push.subscribe()
        context = ssl.create_default_context(cafile=str(web_push.ca_file))
        connection = http.client.HTTPSConnection("127.0.0.1", web_push.port, timeout=DEADLINE, context=context)
        headers = {"TTL": "60", "Content-Encoding": "aes128gcm", "Authorization": vapid(web_push)}
        path = subscription.endpoint.removeprefix(web_push.settings()["url"])
        for text in (b"1", b"2", b"3"):
            connection.request("POST", path, encrypted(subscription, text), headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201
        connection.close()
        assert [record.payload for record in web_push.received()] == [1, 2, 3]
        assert web_push.connections()[0] == 1
