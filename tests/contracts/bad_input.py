"""Sending bad input: a person to send it as, the number of examples, raw requests, and a check of every answer."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, settings

from tests.harness.device import PASSWORD
from tests.harness.http import blocking_http_client
from tests.waiting import DEADLINE

# No rate limits: these tests are about other refusals, which rate limits would hide.
LIMITS = {
    "messages_per_second": 1e6,
    "messages_burst": 1_000_000,
    "frames_per_second": 1e6,
    "frames_burst": 1_000_000,
    "bad_frames_per_minute": 1_000_000,
}
# An id of nothing. It is part of test ids, so it is always the same.
NOWHERE = "9f45c247-0639-4e96-b6a3-4f1f2a2a9c11"
# Examples per test; 0 means the numbers in the tests. A nightly run may try more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def tries(number: int) -> settings:
    """Return the settings for this many examples, the same in each run; or for FUZZ_EXAMPLES random ones, if set."""
    return settings(
        max_examples=EXAMPLES or number,
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@dataclass
class Somebody:
    """A person with a group and a message, and the address of the server."""

    server: str
    token: str = ""
    ids: dict[str, str] = field(default_factory=dict)

    def signs_up(self) -> "Somebody":
        answer = self.asks("POST", "/auth/register", {"username": f"u-{uuid4().hex}", "password": PASSWORD})
        self.token, me = answer["token"], answer["user"]["id"]
        group = self.asks("POST", "/conversations", {"type": "group", "participant_ids": [], "name": "Mine"})
        message = self.asks("POST", "/messages", {"conversation_id": group["id"], "content": "hi"})
        self.ids = {"conversation_id": group["id"], "message_id": message["id"], "user_id": me}
        self.ids |= {"reply_to_id": message["id"], "participant_ids": me, "user_ids": me}
        return self

    def asks(self, method: str, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with blocking_http_client() as client:
            answer = client.request(method, f"{self.server}/api/v1{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()


@dataclass
class Answer:
    """An HTTP answer; status 0 if the server hung up because the request was not HTTP."""

    status: int
    headers: bytes = b""
    body: bytes = b""


def usual_headers(somebody: Somebody) -> list[bytes]:
    host = somebody.server.removeprefix("http://").encode()
    return [b"Host: " + host, b"Connection: close", b"Authorization: Bearer " + somebody.token.encode()]


def raw_json(somebody: Somebody, method: str, path: str, body: bytes, *, kind: bytes = b"application/json") -> Answer:
    line = f"{method} /api/v1{path.format_map(somebody.ids)} HTTP/1.1".encode()
    about_body = [b"Content-Type: " + kind, b"Content-Length: %d" % len(body)]
    return raw_http(somebody, [line, *usual_headers(somebody), *about_body], body)


def raw_http(somebody: Somebody, lines: list[bytes], body: bytes = b"") -> Answer:
    """Send exactly these bytes and read until the server closes."""
    host, _, port = somebody.server.removeprefix("http://").partition(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        try:
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            if lines[0].count(b" ") != 2 or not lines[0].rsplit(b" ", 1)[1].startswith(b"HTTP/1.1"):
                connection.shutdown(socket.SHUT_WR)  # an incomplete request: the server may wait for the rest
            while part := connection.recv(65536):
                received += part
        except ConnectionError:
            pass  # the server hung up while this client was writing
    head, _, rest = received.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.") else 0
    if b"transfer-encoding: chunked" in head.lower():
        rest = b"".join(chunks(rest))
    return Answer(status, head, rest)


def chunks(body: bytes) -> Iterator[bytes]:
    """Yield the chunks of a chunked body."""
    while body:
        size, _, body = body.partition(b"\r\n")
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


def looks_well(answer: Answer, *, json_wanted: bool = True) -> None:
    """Assert that the server did not fail, and that a refusal has a message and a code."""
    assert answer.status < 500, answer
    assert answer.status or not json_wanted, answer
    if answer.status >= 400 and json_wanted:
        refusal = json.loads(answer.body)
        assert refusal["message"]
        assert refusal["code"] != "server_error"
