"""One sender under many threads: every push gets its own answer, also while connections end and are replaced."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ssl import SSLContext
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.providers.apns import ApnsSender
from notifications.providers.connection import Limits
from notifications.providers.push import Accepted, Busy, Dead
from tests.notifications.providers.conftest import Serve, a_push, pem
from tests.notifications.providers.server import Asked, Behaviour, Close, GoAway, Reset, Say, Server

THREADS, PUSHES = 64, 1_280


def a_sender(server: Server, tls: SSLContext, *, connections: int = 64) -> ApnsSender:
    key = pem(ec.generate_private_key(ec.SECP256R1()))
    limits = Limits(answer=20, wait=20, connections=connections)
    return ApnsSender(key=key, key_id="K", team_id="T", topic="x", production_url=server.url, tls=tls, limits=limits)


def answers(asked: Asked) -> Behaviour:
    """Answer with the id of the push, and report the token of every third as dead."""
    number = int(UUID(asked.headers["apns-id"]))
    assert json.loads(asked.body)["sequence"] == str(number)
    if number % 3 == 0:
        return Say(410, body=b'{"reason": "Unregistered"}')
    return Say(200, {"apns-id": asked.headers["apns-id"]})


def send(sender: ApnsSender, number: int) -> tuple[int, Accepted | Dead | Busy]:
    answer = sender.send(a_push(id=UUID(int=number), token=f"{number:064x}", data={"sequence": str(number)}))
    assert isinstance(answer, Accepted | Dead | Busy)
    return number, answer


def expected_answer(number: int) -> Accepted | Dead:
    return Accepted(str(UUID(int=number))) if number % 3 else Dead("Unregistered")


@pytest.mark.parametrize("connections", [64, 8])
def test_every_push_gets_its_own_answer(serve: Serve, tls: SSLContext, connections: int) -> None:
    server = serve(most_streams=1)
    server.answer = answers
    sender = a_sender(server, tls, connections=connections)
    with ThreadPoolExecutor(THREADS) as threads:
        results = list(threads.map(lambda number: send(sender, number), range(PUSHES)))
    assert results == [(number, expected_answer(number)) for number in range(PUSHES)]
    assert Counter(asked.headers["apns-id"] for asked in server.asked) == {
        str(UUID(int=number)): 1 for number in range(PUSHES)
    }
    assert server.connections <= connections
    sender.close()


def test_every_push_gets_its_own_answer_while_connections_fail(server: Server, tls: SSLContext) -> None:
    """One request in ten fails at first: unprocessed ones are sent again, others are Busy, and answers never mix."""
    lock, done = threading.Lock(), Counter[int]()
    failures: list[Callable[[Asked], Behaviour]] = [
        lambda asked: GoAway(last=0),
        lambda asked: Reset(7),
        lambda asked: Close(),
        lambda asked: Say(503, {}, b'{"reason": "Shutdown"}', leaving=2**31 - 1),
    ]

    def answer(asked: Asked) -> Behaviour:
        number = int(UUID(asked.headers["apns-id"]))
        with lock:
            done[number] += 1
            first = done[number] == 1
        return failures[number // 10 % 4](asked) if number % 10 == 0 and first else answers(asked)

    server.answer = answer
    sender = a_sender(server, tls)
    with ThreadPoolExecutor(THREADS) as threads:
        results = dict(threads.map(lambda number: send(sender, number), range(PUSHES)))
    sender.close()
    for number, result in results.items():
        kind = number // 10 % 4
        if number % 10 or kind in (0, 1):
            assert result == expected_answer(number)
        else:
            assert result == Busy("broken off, or nonsense" if kind == 2 else "Shutdown")
        assert done[number] == (2 if number % 10 == 0 and kind in (0, 1) else 1)
