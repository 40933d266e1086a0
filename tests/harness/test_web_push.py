"""The double of a push service refuses what the RFCs refuse, and decrypts the rest."""

import base64
import http.client
import json
import os
import ssl
import time
from collections.abc import Iterator
from typing import Any

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.harness.providers.web_push import Subscription, WebPush
from tests.waiting import DEADLINE

SENDER = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def running() -> Iterator[WebPush]:
    with WebPush() as double:
        yield double


@pytest.fixture
def web_push(running: WebPush) -> Iterator[WebPush]:
    running.forget()
    yield running
    running.works()


def point(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.UncompressedPoint
    raw = key.public_key().public_bytes(serialization.Encoding.X962, form)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def vapid(web_push: WebPush, *, key: ec.EllipticCurvePrivateKey = SENDER, k: str = "", **changed: Any) -> str:
    claims = {"aud": web_push.settings()["url"], "exp": int(time.time()) + 3600, "sub": "mailto:ops@example.org"}
    claims = {name: value for name, value in (claims | changed).items() if value is not None}
    return f"vapid t={jwt.encode(claims, key, 'ES256')}, k={k or point(key)}"


def encrypted(subscription: Subscription, text: bytes) -> bytes:
    receiver, auth = (base64.urlsafe_b64decode(part + "==") for part in subscription[1:])
    own = ec.generate_private_key(ec.SECP256R1())
    return http_ece.encrypt(
        text, salt=os.urandom(16), private_key=own, dh=receiver, auth_secret=auth, version="aes128gcm"
    )


def post(
    web_push: WebPush, subscription: Subscription, body: bytes, *, path: str = "", **changed: str | None
) -> tuple[int, http.client.HTTPMessage]:
    given: dict[str, str | None] = {"TTL": "60", "Content-Encoding": "aes128gcm", "Authorization": vapid(web_push)}
    given |= {name.replace("_", "-"): value for name, value in changed.items()}
    headers = {name: value for name, value in given.items() if value is not None}
    context = ssl.create_default_context(cafile=str(web_push.ca_file))
    path = path or subscription.endpoint.removeprefix(web_push.settings()["url"])
    connection = http.client.HTTPSConnection("127.0.0.1", web_push.port, timeout=DEADLINE, context=context)
    try:
        connection.request(
            "POST", path or subscription.endpoint.removeprefix(web_push.settings()["url"]), body, headers
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def test_a_message_is_accepted_decrypted_and_recorded(web_push: WebPush) -> None:
    subscription = web_push.subscribe()
    text = {"kind": "message", "badge": "3"}
    status, headers = post(
        web_push, subscription, encrypted(subscription, json.dumps(text).encode()), Topic="t" * 32, Urgency="high"
    )
    assert status == 201
    [record] = web_push.received()
    assert (record.token, record.payload, record.id) == (subscription.endpoint, text, headers["Location"])
    assert (record.delivered, record.mistakes, record.headers["topic"]) == (True, (), "t" * 32)


def test_text_that_is_no_json_is_kept_as_text(web_push: WebPush) -> None:
    subscription = web_push.subscribe()
    assert post(web_push, subscription, encrypted(subscription, b"hello"))[0] == 201
    assert web_push.received()[0].payload == "hello"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"TTL": None}, 400),
        ({"TTL": "soon"}, 400),
        ({"Content_Encoding": "aesgcm"}, 400),
        ({"Content_Encoding": None}, 400),
        ({"Topic": "t" * 33}, 400),
        ({"Topic": "a b"}, 400),
        ({"Urgency": "urgent"}, 400),
        ({"Authorization": None}, 401),
        ({"Authorization": "WebPush abc"}, 401),
        ({"path": "/push/unknown"}, 404),
    ],
)
def test_wrong_requests(web_push: WebPush, changed: dict[str, Any], status: int) -> None:
    subscription = web_push.subscribe()
    assert post(web_push, subscription, encrypted(subscription, b"{}"), **changed)[0] == status
    [record] = web_push.received()
    assert (record.status, record.delivered) == (status, False)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://push.example.org"},
        {"exp": int(time.time()) + 90_000},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"sub": None},
        {"sub": "ops"},
        {"k": point(OTHER)},
        {"k": "AAAA"},
    ],
)
def test_wrong_senders(web_push: WebPush, changed: dict[str, Any]) -> None:
    subscription = web_push.subscribe()
    body = encrypted(subscription, b"{}")
    assert post(web_push, subscription, body, Authorization=vapid(web_push, **changed))[0] == 403


def test_a_subscription_may_belong_to_one_sender(web_push: WebPush) -> None:
    subscription = web_push.subscribe(sender=point(SENDER))
    body = encrypted(subscription, b"{}")
    assert post(web_push, subscription, body)[0] == 201
    assert post(web_push, subscription, body, Authorization=vapid(web_push, key=OTHER))[0] == 403


@pytest.mark.parametrize("size", [4097, 100_000])
def test_a_message_that_is_too_large(web_push: WebPush, size: int) -> None:
    subscription = web_push.subscribe()
    assert post(web_push, subscription, b"x" * size)[0] == 413


def test_a_message_that_cannot_be_decrypted_is_accepted_and_noted_as_a_mistake(web_push: WebPush) -> None:
    subscription, other = web_push.subscribe(), web_push.subscribe()
    assert post(web_push, subscription, encrypted(other, b"{}"))[0] == 201
    assert post(web_push, subscription, b"short")[0] == 201
    for record in web_push.received():
        assert (record.delivered, record.payload, len(record.mistakes)) == (False, None, 1)


@pytest.mark.parametrize("status", [404, 410])
def test_a_subscription_that_has_ended(web_push: WebPush, status: int) -> None:
    subscription = web_push.subscribe()
    body = encrypted(subscription, b"{}")
    web_push.gone(subscription.endpoint, status=status)
    assert post(web_push, subscription, body)[0] == status
    web_push.back(subscription.endpoint)
    assert post(web_push, subscription, body)[0] == 201


def test_subscriptions_survive_a_restart(web_push: WebPush) -> None:
    subscription = web_push.subscribe()
    web_push.kill()
    web_push.start()
    assert post(web_push, subscription, encrypted(subscription, b"{}"))[0] == 201
