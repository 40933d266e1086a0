"""Web Push: encrypted messages, the identity of the server, and the answers of push services."""

import json
import time
from collections.abc import Iterator
from ssl import SSLContext
from typing import Any

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.providers.network import PublicNetwork
from notifications.providers.push import Accepted, Answer, Busy, Dead, Push, Refused
from notifications.providers.vapid import base64url, from_base64url, new_vapid_private_key, point, vapid_public_key
from notifications.providers.web_push import WebPushSender, check_keys
from tests.notifications.providers.conftest import LIMITS, a_push
from tests.notifications.providers.server import Close, Hang, Say, Server

BROWSER = ec.generate_private_key(ec.SECP256R1())
SECRET = bytes(range(16))
KEYS = (base64url(point(BROWSER.public_key())), base64url(SECRET))
VAPID = new_vapid_private_key()


@pytest.fixture
def sender(server: Server, tls: SSLContext) -> Iterator[WebPushSender]:
    guard = PublicNetwork(allowed={f"localhost:{server.port}"})
    sender = WebPushSender(
        vapid_private_key=VAPID, subject="mailto:admin@example.net", network=guard, tls=tls, limits=LIMITS
    )
    yield sender
    sender.close()


def to(server: Server, **fields: Any) -> Push:
    return a_push(**({"token": f"{server.url}/push/abc?x=y", "keys": KEYS} | fields))


def read(server: Server) -> dict[str, str]:
    """The message as decrypted by the browser."""
    sealed = server.asked[-1].body
    assert len(sealed) <= 4_096
    text = http_ece.decrypt(sealed, private_key=BROWSER, auth_secret=SECRET, version="aes128gcm")
    message = json.loads(text)
    assert isinstance(message, dict)
    return message


def test_a_message_is_encrypted_with_its_headers(server: Server, sender: WebPushSender) -> None:
    server.answer = lambda asked: Say(201, {"location": "https://push.example.net/m/1"})
    push = to(server, title="Ana", body="hi", collapse_id="c1", seconds_to_live=60)
    assert sender.send(push) == Accepted("https://push.example.net/m/1")
    (asked,) = server.asked
    assert asked.path == "/push/abc?x=y"
    headers = asked.headers
    assert (headers["content-encoding"], headers["content-type"]) == ("aes128gcm", "application/octet-stream")
    assert (headers["ttl"], headers["urgency"]) == ("60", "high")
    assert len(headers["topic"]) == 32
    assert set(headers["topic"]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert read(server) == {
        "kind": "message",
        "conversation_id": "c1",
        "message_id": "m1",
        "sequence": "7",
        "badge": "3",
        "title": "Ana",
        "body": "hi",
    }


def test_topics_are_equal_for_equal_collapse_ids_only(server: Server, sender: WebPushSender) -> None:
    for collapse_id in ("c1", "c1", "c2", None):
        sender.send(to(server, collapse_id=collapse_id))
    topics = [asked.headers.get("topic") for asked in server.asked]
    assert topics[0] == topics[1] != topics[2]
    assert topics[3] is None


def test_each_message_has_its_own_key_and_salt(server: Server, sender: WebPushSender) -> None:
    for _ in range(2):
        sender.send(to(server, title="Ana"))
    salts, keys = zip(*((asked.body[:16], asked.body[21:86]) for asked in server.asked), strict=True)
    assert len(set(salts)) == len(set(keys)) == 2
    # RFC 8188: a record of 4,096 bytes, and a public key of 65 bytes.
    assert server.asked[0].body[16:21] == b"\0\0\x10\0\x41"


def test_a_sync_has_no_text(server: Server, sender: WebPushSender) -> None:
    sender.send(to(server, kind="sync", title="never shown", data={}))
    assert read(server) == {"kind": "sync", "badge": "3"}
    assert server.asked[0].headers["urgency"] == "normal"


@pytest.mark.parametrize("character", ["a", "\U0001f600", "e\u0301"])
def test_a_long_text_is_shortened_to_fit(server: Server, sender: WebPushSender, character: str) -> None:
    assert isinstance(sender.send(to(server, title="Ana", body=character * 5_000)), Accepted)
    assert 4_070 < len(server.asked[0].body) <= 4_096
    assert read(server)["body"].startswith(character * 100)


# --- The identity of the server ---------------------------------------------------------------


def test_the_token_is_for_the_origin_of_the_endpoint(server: Server, sender: WebPushSender) -> None:
    sender.send(to(server))
    scheme, _, rest = server.asked[0].headers["authorization"].partition(" ")
    parameters = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    assert parameters["k"] == vapid_public_key(VAPID)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(parameters["k"]))
    claims = jwt.decode(parameters["t"], public, algorithms=["ES256"], audience=server.url)
    assert claims["sub"] == "mailto:admin@example.net"
    assert time.time() + 3_600 < claims["exp"] <= time.time() + 12 * 3_600


# --- Answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("say", "answer"),
    [
        (Say(200), Accepted()),
        (Say(202), Accepted()),
        (Say(204), Accepted()),
        (Say(404), Dead("status 404")),
        (Say(410), Dead("status 410")),
        (Say(429, {"retry-after": "60"}), Busy("status 429", 60)),
        (Say(500), Busy("status 500")),
        (Say(503), Busy("status 503")),
        (Say(400), Refused("status 400")),
        (Say(401), Busy("status 401", counts=False)),
        (Say(403), Busy("status 403", counts=False)),
        (Say(413), Refused("status 413")),
        (Say(301, {"location": "https://169.254.169.254/"}), Refused("status 301")),
        (Close(), Busy("broken off, or nonsense")),
        (Hang(), Busy("no answer in time")),
    ],
)
def test_an_answer_of_a_push_service_gets_its_meaning(
    server: Server, sender: WebPushSender, say: Any, answer: Answer
) -> None:
    server.answer = lambda asked: say
    assert sender.send(to(server)) == answer
    assert len(server.asked) == 1


# --- Pushes that are not sent -----------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ["http://localhost/x", "https://10.0.0.1/x", "https://localhost:1/x", "nonsense"])
def test_an_unsafe_endpoint_is_refused(server: Server, sender: WebPushSender, endpoint: str) -> None:
    answer = sender.send(to(server, token=endpoint))
    assert isinstance(answer, Refused)
    assert answer.reason.startswith("unsafe address")


def test_a_name_with_a_private_address_is_refused(server: Server, tls: SSLContext) -> None:
    guard = PublicNetwork(resolve=lambda host, port: ["127.0.0.1"])
    sender = WebPushSender(vapid_private_key=VAPID, subject="https://example.net", network=guard, tls=tls)
    answer = sender.send(to(server, token="https://push.example.net/x"))
    assert answer == Refused("unsafe address: a name that stands for a private address")


@pytest.mark.parametrize("keys", [None, ("", ""), (KEYS[1], KEYS[0])])
def test_a_push_with_invalid_keys_is_refused(server: Server, sender: WebPushSender, keys: Any) -> None:
    assert isinstance(sender.send(to(server, keys=keys)), Refused)
    assert not server.asked


NOT_ON_THE_CURVE = b"\x04" + b"\1" * 64
COMPRESSED = b"\x02" + point(BROWSER.public_key())[1:33]


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        ("", KEYS[1]),
        ("nonsense", KEYS[1]),
        (base64url(NOT_ON_THE_CURVE), KEYS[1]),
        (base64url(COMPRESSED), KEYS[1]),
        (base64url(b"\x04" + bytes(64)), KEYS[1]),
        (KEYS[0][:-4], KEYS[1]),
        (KEYS[0] + "!", KEYS[1]),
        ("\u00e9" + KEYS[0][1:], KEYS[1]),
        (KEYS[0], ""),
        (KEYS[0], base64url(bytes(15))),
        (KEYS[0], base64url(bytes(17))),
        (KEYS[0], KEYS[1] + "==="),
        (KEYS[0], "+/" + KEYS[1][2:]),
        (KEYS[0], KEYS[1] + "\n"),
    ],
    ids=map(str, range(14)),  # keys differ between processes, but the names of tests must not
)
def test_invalid_keys_are_refused(p256dh: str, auth: str) -> None:
    with pytest.raises(ValueError):
        check_keys(p256dh, auth)


def test_keys_are_accepted_with_and_without_padding() -> None:
    assert check_keys(*KEYS) == check_keys(KEYS[0] + "=", KEYS[1] + "==") == (point(BROWSER.public_key()), SECRET)
