"""The double of Apple's service refuses what Apple refuses and records the rest. Its faults: test_provider_faults."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.harness.http2_client import Answer, Http2Client
from tests.harness.providers.apns import Apns

ALERT = {"aps": {"alert": {"title": "New message"}, "badge": 3, "sound": "default"}, "message_id": "7"}
BACKGROUND = {"aps": {"content-available": 1}}


@pytest.fixture(scope="module")
def running() -> Iterator[Apns]:
    with Apns() as double:
        yield double


@pytest.fixture
def apns(running: Apns) -> Iterator[Apns]:
    running.forget()
    yield running
    running.works()
    running.provider_tokens()


def provider_token(apns: Apns, *, age: float = 0, key: str = "", **changed: Any) -> str:
    settings = apns.settings()
    header = {"kid": changed.pop("kid", settings["key_id"])}
    claims = {"iss": settings["team_id"], "iat": int(time.time() - age)} | changed
    return jwt.encode(claims, key or settings["key"], "ES256", header)


@pytest.fixture
def push(apns: Apns) -> Iterator[Callable[..., Answer]]:
    """Sends one push; headers that are None are left out."""
    connections: list[Http2Client] = []

    def send(token: str, payload: Any = ALERT, *, on: Http2Client | None = None, listener: int = 0, **headers: Any):
        if on is None:
            on = Http2Client(apns.ports[listener], apns.ca_file)
            connections.append(on)
        given = {"authorization": f"bearer {provider_token(apns)}", "apns-topic": apns.settings()["topic"]}
        given |= {"apns-push-type": "alert", "apns-priority": "10", "apns-expiration": "0"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        wanted = {name: value for name, value in given.items() if value is not None}
        return on.ask(f"/3/device/{token}", wanted, body)

    yield send
    for connection in connections:
        connection.close()


def test_a_push_is_accepted_and_recorded(apns: Apns, push: Callable[..., Answer]) -> None:
    token, id = apns.device(), str(uuid4())
    answer = push(token, apns_id=id, apns_collapse_id="c" * 64)
    assert (answer.status, answer.headers["apns-id"], answer.body) == (200, id, b"")
    [record] = apns.received()
    assert (record.token, record.payload, record.id) == (token, ALERT, id)
    assert (record.status, record.how, record.delivered, record.mistakes) == (200, "answered", True, ())
    assert record.headers["apns-collapse-id"] == "c" * 64
    assert abs(record.at - time.time()) < 5


def test_an_id_is_made_when_there_is_none(apns: Apns, push: Callable[..., Answer]) -> None:
    assert push(apns.device()).headers["apns-id"] == apns.received()[0].id != ""


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"authorization": None}, 403, "MissingProviderToken"),
        ({"authorization": "bearer nonsense"}, 403, "InvalidProviderToken"),
        ({"apns_topic": None}, 400, "MissingTopic"),
        ({"apns_topic": "org.example.other"}, 400, "TopicDisallowed"),
        ({"apns_push_type": "loud"}, 400, "InvalidPushType"),
        ({"apns_push_type": "background", "apns_priority": "10"}, 400, "BadPriority"),
        ({"apns_push_type": "background", "apns_priority": None}, 400, "BadPriority"),
        ({"apns_priority": "7"}, 400, "BadPriority"),
        ({"apns_expiration": "soon"}, 400, "BadExpirationDate"),
        ({"apns_collapse_id": "c" * 65}, 400, "BadCollapseId"),
        ({"apns_id": "seven"}, 400, "BadMessageId"),
    ],
)
def test_wrong_headers(
    apns: Apns, push: Callable[..., Answer], headers: dict[str, Any], status: int, reason: str
) -> None:
    answer = push(apns.device(), **headers)
    assert (answer.status, answer.json) == (status, {"reason": reason})
    [record] = apns.received()
    assert (record.status, record.reason, record.delivered) == (status, reason, False)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"kid": "ABCDE12345"}, "InvalidProviderToken"),
        ({"iss": "ABCDE12345"}, "InvalidProviderToken"),
        ({"iat": "now"}, "InvalidProviderToken"),
        ({"age": -600}, "InvalidProviderToken"),
        ({"age": 3601}, "ExpiredProviderToken"),
    ],
)
def test_wrong_provider_tokens(apns: Apns, push: Callable[..., Answer], changed: dict[str, Any], reason: str) -> None:
    answer = push(apns.device(), authorization=f"bearer {provider_token(apns, **changed)}")
    assert (answer.status, answer.json["reason"]) == (403, reason)


def test_a_provider_token_signed_by_another_key(apns: Apns, push: Callable[..., Answer]) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    answer = push(apns.device(), authorization=f"bearer {provider_token(apns, key=other.decode())}")
    assert answer.json["reason"] == "InvalidProviderToken"


def test_provider_tokens_that_change_too_often_on_a_connection(apns: Apns, push: Callable[..., Answer]) -> None:
    connection = Http2Client(apns.port, apns.ca_file)
    first, second = (f"bearer {provider_token(apns, age=age)}" for age in (60, 0))
    assert push(apns.device(), on=connection, authorization=first).status == 200
    refused = push(apns.device(), on=connection, authorization=second)
    assert (refused.status, refused.json["reason"]) == (429, "TooManyProviderTokenUpdates")
    assert push(apns.device(), on=connection, authorization=first).status == 200
    apns.provider_tokens(rest=0)
    assert push(apns.device(), on=connection, authorization=second).status == 200
    apns.provider_tokens(live=30)
    assert push(apns.device(), on=connection, authorization=first).json["reason"] == "ExpiredProviderToken"
    apns.provider_tokens()
    assert push(apns.device(), on=connection, authorization=second).status == 200  # no update: the other had expired
    connection.close()


def test_tokens_of_devices(apns: Apns, push: Callable[..., Answer]) -> None:
    assert push("not-hex").json["reason"] == "BadDeviceToken"
    token = apns.device()
    assert push(token).status == 200
    apns.gone(token, since=1_700_000_000)
    answer = push(token)
    assert (answer.status, answer.json) == (410, {"reason": "Unregistered", "timestamp": 1_700_000_000_000})
    apns.back(token)
    assert push(token).status == 200


def test_a_token_belongs_to_one_environment(apns: Apns, push: Callable[..., Answer]) -> None:
    production, sandbox = apns.device(), apns.device(sandbox=True)
    assert push(sandbox, listener=0).json["reason"] == "BadDeviceToken"
    assert push(production, listener=1).json["reason"] == "BadDeviceToken"
    assert push(sandbox, listener=1).status == 200
    assert apns.received()[-1].listener == 1
    assert apns.settings()["sandbox_url"].endswith(str(apns.ports[1]))


@pytest.mark.parametrize(("size", "status"), [(4096, 200), (4097, 413), (200_000, 413)])
def test_the_size_of_a_payload(apns: Apns, push: Callable[..., Answer], size: int, status: int) -> None:
    payload = json.dumps({"aps": {"alert": ""}}).encode()
    answer = push(apns.device(), payload.replace(b'""', b'"' + b"x" * (size - len(payload)) + b'"'))
    assert answer.status == status
    assert status == 200 or answer.json["reason"] == "PayloadTooLarge"


@pytest.mark.parametrize(
    ("payload", "headers", "mistake"),
    [
        (BACKGROUND, {"apns_push_type": "background", "apns_priority": "5"}, ""),
        ({"aps": {"badge": 1}}, {}, ""),
        (
            {"aps": {"content-available": 1, "badge": 1}},
            {"apns_push_type": "background", "apns_priority": "5"},
            "a background push with badge",
        ),
        ({"aps": {}}, {"apns_push_type": "background", "apns_priority": "5"}, "without content-available"),
        (BACKGROUND, {}, "without alert, badge or sound"),
        (ALERT, {"apns_push_type": None}, "no apns-push-type"),
        ({"aps": {"badge": "1"}}, {}, "no whole number"),
        (b"{", {}, "no JSON object"),
        ({"alert": 1}, {}, "no dictionary `aps`"),
    ],
)
def test_mistakes_that_apple_lets_pass(
    apns: Apns, push: Callable[..., Answer], payload: Any, headers: dict[str, Any], mistake: str
) -> None:
    assert push(apns.device(), payload, **headers).status == 200
    [record] = apns.received()
    assert mistake in " ".join(record.mistakes)
    assert bool(record.mistakes) == bool(mistake)
    assert record.delivered == (payload != b"{")


def test_one_stream_until_the_first_good_provider_token(apns: Apns, push: Callable[..., Answer]) -> None:
    connection = Http2Client(apns.port, apns.ca_file)
    push(apns.device(), on=connection, authorization=None)
    assert connection.allowed_streams == 1
    push(apns.device(), on=connection)
    push(apns.device(), on=connection)
    assert connection.allowed_streams == 1000
    connection.close()


def test_many_pushes_at_once(apns: Apns, push: Callable[..., Answer]) -> None:
    connection = Http2Client(apns.port, apns.ca_file)
    assert push(apns.device(), on=connection).status == 200
    headers = {"authorization": f"bearer {provider_token(apns)}", "apns-topic": apns.settings()["topic"]}
    apns.provider_tokens(rest=0)
    body = json.dumps({"aps": {"alert": "x" * 3000}}).encode()
    for _ in range(10):  # 600 kB in all: the windows of flow control are opened again
        streams = [connection.send(f"/3/device/{number:064x}", headers, body) for number in range(20)]
        assert {connection.answer(stream).status for stream in streams} == {200}
    assert len(apns.delivered()) == 201
    assert [record.number for record in apns.received()] == sorted(record.number for record in apns.received())
    connection.close()


def test_paths_and_methods(apns: Apns) -> None:
    connection = Http2Client(apns.port, apns.ca_file)
    headers = {"authorization": f"bearer {provider_token(apns)}"}
    assert connection.ask("/2/device/00", headers, b"{}").json["reason"] == "BadPath"
    wrong = connection.ask(f"/3/device/{apns.device()}", headers, method="GET")
    assert (wrong.status, wrong.json["reason"]) == (405, "MethodNotAllowed")
    connection.close()
