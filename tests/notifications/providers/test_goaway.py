"""Apple ends connections amid pushes: each push is answered, or was not delivered and may be sent again."""

import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from notifications.providers.apns import ApnsSender
from notifications.providers.connection import TransportLimits
from notifications.providers.push import Accepted, Answer, Busy
from tests.harness.providers.apns import Apns
from tests.notifications.providers.conftest import a_push

PUSHES, THREADS = 400, 16


@pytest.fixture
def apns() -> Iterator[Apns]:
    with Apns() as double:
        yield double


def test_no_push_is_lost_or_doubled_while_connections_end(apns: Apns) -> None:
    said = apns.settings()
    sender = ApnsSender(
        key=said["key"],
        key_id=said["key_id"],
        team_id=said["team_id"],
        topic=said["topic"],
        production_url=said["url"],
        tls=ssl.create_default_context(cafile=said["ca_file"]),
        limits=TransportLimits(answer=60, wait=60),
    )
    token = apns.device()
    apns.fails("slow", seconds=0.02)  # so that answers are on their way when a connection ends
    ended = threading.Event()

    def leave() -> None:
        while not ended.wait(0.1):
            apns.goes_away()

    def send(number: int) -> tuple[str, Answer]:
        return str(number), sender.send(a_push(id=UUID(int=number), token=token, data={"message_id": str(number)}))

    leaving = threading.Thread(target=leave)
    leaving.start()
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            answers = dict(threads.map(send, range(PUSHES)))
    finally:
        ended.set()
        leaving.join()
        sender.close()
    assert apns.connections()[0] > THREADS, "no connection ended"
    delivered = Counter(str(record.payload["message_id"]) for record in apns.delivered())
    accepted = {number for number, answer in answers.items() if isinstance(answer, Accepted)}
    assert delivered == dict.fromkeys(accepted, 1)
    assert all(isinstance(answers[number], Busy) for number in answers.keys() - accepted)
