"""Who sends bad input, how hard to look for what it breaks, and how an answer must look whatever was sent."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from hypothesis import HealthCheck, settings

from tests.harness.device import PASSWORD
from tests.waiting import DEADLINE

# Nothing here is about rates: they would hide what is.
LIMITS = {
    "messages_per_second": 1e6,
    "messages_burst": 1_000_000,
    "frames_per_second": 1e6,
    "frames_burst": 1_000_000,
    "bad_frames_per_minute": 1_000_000,
}
# An id that nobody has; in the name of a test, so always the same.
NOWHERE = "9f45c247-0639-4e96-b6a3-4f1f2a2a9c11"
# How hard to look; a night may look harder than a test run.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def tries(number: int) -> settings:
    """Return how hard to look: so many examples, the same ones in each run, or as many others as are asked for."""
    return settings(
        max_examples=EXAMPLES or number,
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@dataclass
class Somebody:
    """A person with a group and a message, and a way to the server."""

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
        answer = httpx.request(method, f"{self.server}/api/v1{path}", json=body, headers=headers, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()


@dataclass
class Answer:
    """An HTTP answer; a status of 0 when the server hung up on what is no HTTP."""

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
    """Send these very bytes and read until the server closes."""
    host, _, port = somebody.server.removeprefix("http://").partition(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        try:
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            if lines[0].count(b" ") != 2 or not lines[0].rsplit(b" ", 1)[1].startswith(b"HTTP/1.1"):
                connection.shutdown(socket.SHUT_WR)  # no request: the server may wait for more of it
            while part := connection.recv(65536):
                received += part
        except ConnectionError:
            pass  # it hung up while it was being written to
    head, _, rest = received.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.") else 0
    if b"transfer-encoding: chunked" in head.lower():
        rest = b"".join(chunks(rest))
    return Answer(status, head, rest)


def chunks(body: bytes) -> Iterator[bytes]:
    """Yield the parts of a body that came in chunks."""
    while body:
        size, _, body = body.partition(b"\r\n")
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


def looks_well(answer: Answer, *, json_wanted: bool = True) -> None:
    """Say that an answer is none of a server that failed, and that a refusal says why."""
    assert answer.status < 500, answer
    assert answer.status or not json_wanted, answer
    if answer.status >= 400 and json_wanted:
        refusal = json.loads(answer.body)
        assert refusal["message"]
        assert refusal["code"] != "server_error"
