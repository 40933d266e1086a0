"""The private RabbitMQ is private, and what is durable in it survives."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from amqp.exceptions import AccessRefused
from kombu import Connection
from kombu.exceptions import OperationalError

from tests.harness.rabbitmq import RabbitMQ
from tests.waiting import DEADLINE


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMQ]:
    server = RabbitMQ()
    server.start()
    yield server
    server.stop()


def put(server: RabbitMQ, text: str) -> None:
    # Confirmed when it is on disk.
    with Connection(server.url, connect_timeout=DEADLINE, transport_options={"confirm_publish": True}) as connection:
        queue = connection.SimpleQueue("kept")
        queue.put(text)
        queue.close()


def take(server: RabbitMQ, *, timeout: float = DEADLINE) -> str:
    with Connection(server.url, connect_timeout=timeout) as connection:
        queue = connection.SimpleQueue("kept")
        message = queue.get(timeout=DEADLINE)
        message.ack()
        queue.close()
        return message.payload


def test_durable_messages_survive_a_stop_and_a_kill_on_the_same_port(rabbitmq: RabbitMQ) -> None:
    port = rabbitmq.port
    put(rabbitmq, "first")
    rabbitmq.restart()
    assert rabbitmq.port == port
    assert take(rabbitmq) == "first"
    put(rabbitmq, "second")
    rabbitmq.kill()
    with pytest.raises(OperationalError):
        take(rabbitmq, timeout=1)
    rabbitmq.start()
    assert take(rabbitmq) == "second"


def test_a_frozen_one_answers_when_it_thaws(rabbitmq: RabbitMQ) -> None:
    rabbitmq.program.freeze()
    try:
        with pytest.raises(TimeoutError):
            said(rabbitmq, timeout=0.5)
    finally:
        rabbitmq.program.thaw()
    assert rabbitmq.node.encode() in said(rabbitmq, timeout=DEADLINE)


def test_the_node_is_private(rabbitmq: RabbitMQ) -> None:
    environment = Path(f"/proc/{rabbitmq.program.pid}/environ").read_bytes()
    assert b"ERL_EPMD_PORT=4369" not in environment
    assert b"ERL_EPMD_PORT=" in environment
    assert rabbitmq.port != 5672
    cookie = rabbitmq.folder / ".erlang.cookie"
    assert cookie.stat().st_uid == os.geteuid()
    with pytest.raises(AccessRefused):
        Connection(f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}//", connect_timeout=DEADLINE).connect()


def test_after_a_stop_nothing_of_it_runs(rabbitmq: RabbitMQ) -> None:
    """The last one here: a start takes some seconds."""
    assert of_its_node(rabbitmq) != []
    rabbitmq.stop()
    until = time.monotonic() + DEADLINE
    while of_its_node(rabbitmq) and time.monotonic() < until:  # Erlang's helpers notice the end of their server
        time.sleep(0.02)
    assert of_its_node(rabbitmq) == []


def of_its_node(server: RabbitMQ) -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/environ") if server.node.encode() in read(path)]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def said(server: RabbitMQ, *, timeout: float) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        return connection.recv(4096)
