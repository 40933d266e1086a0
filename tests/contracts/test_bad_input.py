"""Whatever comes in, the server answers as documented: never a 5xx, a traceback or a dead socket.

Three ways in: requests made from the OpenAPI file (schemathesis), requests written byte by byte, and frames
made from the structs of the registered commands and then broken. All go to a running server.
"""

import functools
import json
import operator
import os
import socket
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import jsonschema
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chatsite import asyncapi  # which knows every registered command and frame
from realtime import registry
from tests.harness.people import PASSWORD
from tests.harness.servers import PROFILES, Profile, Site
from tests.harness.services import PROJECT, Services

# Nothing here is about rates: they would hide what is.
LIMITS = {
    "messages_per_second": 1e6,
    "messages_burst": 1_000_000,
    "frames_per_second": 1e6,
    "frames_burst": 1_000_000,
    "bad_frames_per_minute": 1_000_000,
}
# How hard to look; a night may look harder than a test run.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


@pytest.fixture(scope="module")
def fuzzed_sites(services: Services) -> Iterator[Callable[[Profile], Site]]:
    """A server of each profile for bad input alone; at the end of the module it runs and its log is clean."""
    started: dict[Profile, Site] = {}

    def start(profile: Profile) -> Site:
        if profile not in started:
            started[profile] = Site(profile, services, processes=1, limits=LIMITS)
            started[profile].start()
        return started[profile]

    try:
        yield start
        for site in started.values():
            assert site.servers[0].running
            assert site.servers[0].health("/health/ready")[0] == 200
            site.is_free_of_tracebacks()
    finally:
        for site in started.values():
            site.stop()


@pytest.fixture(scope="module", params=PROFILES)
def fuzzed(request: pytest.FixtureRequest, fuzzed_sites: Callable[[Profile], Site]) -> Site:
    """Each server: the databases differ in what they can hold."""
    return fuzzed_sites(request.param)


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


@pytest.fixture
def somebody(fuzzed_sites: Callable[[Profile], Site]) -> Somebody:
    """Somebody new for each operation, who may sign out and leave."""
    return Somebody(fuzzed_sites("production").servers[0].http).signs_up()


# --- Requests made from the OpenAPI file -----------------------------------------------------

api = schemathesis.openapi.from_path(PROJECT / "docs" / "openapi.json")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@api.parametrize()
@settings(
    max_examples=EXAMPLES or 25,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_requests_made_from_the_schema(case: schemathesis.Case, somebody: Somebody) -> None:
    headers = {"Authorization": f"Bearer {somebody.token}"}
    case.call_and_validate(base_url=somebody.server, headers=headers, checks=CHECKS, timeout=30)
    if knows_something(case, somebody.ids):
        case.call_and_validate(base_url=somebody.server, headers=headers, checks=CHECKS, timeout=30)


def knows_something(case: schemathesis.Case, ids: dict[str, str]) -> bool:
    """Put ids of things that exist where a request has ids of none; return whether there were any."""
    found = False
    for part in (case.path_parameters, case.body):
        if isinstance(part, dict):
            for name in ids.keys() & part.keys():
                if is_id(part[name]):
                    part[name], found = ids[name], True
                elif isinstance(part[name], list) and any(map(is_id, part[name])):
                    part[name], found = [ids[name]], True
    return found


def is_id(value: Any) -> bool:
    try:
        UUID(value)
    except (ValueError, TypeError, AttributeError):
        return False
    return True


# --- Values that a schema does not think of ---------------------------------------------------

GROUP = "/conversations/{conversation_id}"
MOMENTS = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "2026-01-01T00:00:00",
    "2026-02-30T00:00:00Z",
    "1e9",
]


def cursor_of(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


STRANGE_CURSORS = [
    "",
    "=",
    "%00",
    "%FF%FE",
    "x" * 200,
    cursor_of("|"),
    cursor_of(f"2026-01-01T00:00:00|{uuid4()}"),
    *(cursor_of(f"{moment}|{uuid4()}") for moment in MOMENTS),
    cursor_of("2026-01-01T00:00:00+00:00|\x00"),
    cursor_of("2026-W01-1T00:00:00+00:00|" + "1" * 32),
]
STRANGE_NUMBERS = ["-1", "1e3", "1e400", "NaN", "9" * 400, "9223372036854775808", "0x10", "%00", "1_0", "%D9%A1", ""]
STRANGE_QUERIES = [
    *(f"{GROUP}/participants?cursor={cursor}" for cursor in STRANGE_CURSORS),
    *(f"/conversations?cursor={cursor}" for cursor in STRANGE_CURSORS),
    *(f"{GROUP}/messages?{name}={number}" for name in ("before", "around", "limit") for number in STRANGE_NUMBERS),
    *(f"{GROUP}/events?after={number}" for number in STRANGE_NUMBERS),
    *(f"/users/search?q={q}" for q in ("%00", "%FF", "%25%5C_", "%ED%A0%80", "%F0%9F%98%80" * 60, "a&q=b", "+")),
    *(f"/conversations?q={q}" for q in ("%00", "%FF", "%25%5C_", "%ED%A0%80", "a&q=b")),
    "/conversations?unread=maybe&unread=true",
    "/conversations?archived[]=1",
]
STRANGE_BODIES: list[tuple[str, str, Any]] = [
    *(("POST", "/sync", {"cursors": {"{conversation_id}": 0}, "since": moment}) for moment in MOMENTS),
    ("POST", "/sync", {"cursors": {"{conversation_id}": 2**53}}),
    ("POST", "/sync", {"cursors": {"{conversation_id}": 2**63}}),
    ("POST", "/sync", {"cursors": {"\x00": 1}}),
    *(
        ("POST", "/messages", {"conversation_id": "{conversation_id}", "content": "x", "metadata": metadata})
        for metadata in (
            {"number": 2**64},
            {"number": -(2**63) - 1},
            {"number": 10**400},
            {"number": 1.7976931348623157e308},
            {"number": 5e-324},
            {"number": -0.0},
            {"\x00": 1},
            {"nul": ["\x00"]},
            {"deep": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]},
            {str(number): number for number in range(1_000)},
            {"": "", "type": "text", "$ref": "#", "__proto__": {}},
            {"\ud83d": 1},
            {"text": "\udc00"},
        )
    ),
    *(
        (
            "POST",
            "/messages",
            {"conversation_id": "{conversation_id}", "message_type": "location", "metadata": metadata},
        )
        for metadata in (
            {},
            {"latitude": "1", "longitude": 1},
            {"latitude": 91, "longitude": 0},
            {"latitude": 10**400, "longitude": 0},
            {"latitude": 1e-320, "longitude": -0.0},
            {"latitude": 1, "longitude": 1, "label": "\x00"},
            {"latitude": 1, "longitude": 1, "label": "x" * 201},
            {"latitude": 1, "longitude": 1, "altitude": 1},
        )
    ),
    *(
        ("POST", "/messages", {"conversation_id": "{conversation_id}", "content": content})
        for content in ("\x00", "\ud800", "\u202e\u0000", "\u2028", "x" * 10_001, "\U0010ffff" * 10_000, " \t\u3000")
    ),
    ("PATCH", "/messages/{message_id}", {"content": "\x00"}),
    ("PATCH", GROUP, {"name": "\x00"}),
    ("PATCH", GROUP, {"avatar_url": "https://[::1"}),
    ("PATCH", GROUP, {"avatar_url": "https://x\u0000"}),
    ("PATCH", "/users/me", {"email": "a@" + "b" * 300}),
    ("PATCH", "/users/me", {"email": "\ud800@example.org"}),
    ("PATCH", "/users/me", {"display_name": "\x00"}),
    ("PATCH", "/users/me", {"about": "\x00"}),
    ("PUT", "/users/status", {"status": "busy", "activity": "\x00"}),
    ("POST", "/auth/register", {"username": "a\n", "password": PASSWORD}),
    ("POST", "/auth/register", {"username": "\u0130", "password": PASSWORD}),
    ("POST", "/auth/register", {"username": "abc", "password": "\x00" * 20}),
    ("POST", "/auth/register", {"username": "abc", "password": "\udfff" * 20}),
    ("POST", "/auth/login", {"username": "\x00", "password": "x"}),
    ("POST", "/auth/login", {"username": "x" * 254, "password": "\u0000"}),
    ("POST", "/auth/login", {"username": "a", "password": "b", "device_name": "\x00"}),
    ("POST", "/conversations", {"type": "group", "participant_ids": [str(uuid4())] * 5_001}),
    ("POST", "/conversations", {"type": "group", "participant_ids": ["{user_id}"] * 5_000}),
    ("POST", "/conversations", {"type": "direct", "participant_ids": ["{user_id}"]}),
    ("POST", GROUP + "/participants", {"user_ids": ["00000000000000000000000000000000"]}),
]


@pytest.fixture(scope="module")
def regular(fuzzed: Site) -> Somebody:
    """Somebody whom no request of these tests hurts."""
    return Somebody(fuzzed.servers[0].http).signs_up()


@pytest.mark.parametrize("path", STRANGE_QUERIES, ids=ascii)
def test_strange_queries(regular: Somebody, path: str) -> None:
    request = f"GET /api/v1{path.format_map(regular.ids)} HTTP/1.1"
    looks_well(raw_http(regular, [request.encode(), *usual_headers(regular)]))


@pytest.mark.parametrize(("method", "path", "body"), STRANGE_BODIES, ids=lambda value: ascii(value)[:60])
def test_strange_bodies(regular: Somebody, method: str, path: str, body: Any) -> None:
    text = json.dumps(body)
    for name, value in regular.ids.items():
        text = text.replace(f"{{{name}}}", value)
    looks_well(raw_json(regular, method, path, text.encode()))


def test_a_moment_without_a_zone_is_refused(regular: Somebody) -> None:
    answer = raw_json(regular, "POST", "/sync", b'{"cursors": {}, "since": "2026-01-01T00:00:00"}')
    assert answer.status == 400
    assert list(json.loads(answer.body)["fields"]) == ["since"]


# --- Requests written byte by byte ------------------------------------------------------------

TEXTS_THAT_ARE_NO_OBJECT = [
    b"",
    b" ",
    b"null",
    b"true",
    b"5",
    b'""',
    b"[]",
    b"{",
    b"{}{}",
    b'{"a":}',
    b"{'a': 1}",
    b'{"content": "x",}',
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    b"\x00",
    b'{"content": "\xff\xfe"}',
    b'{"content": "\xed\xa0\x80"}',
    b'{"content": "\\ud800"}',
    b'{"content": "\\u0000"}',
    b'{"content": "a\nb"}',
    b'{"content": NaN}',
    b'{"content": -Infinity}',
    b'{"content": 1e400}',
    b'{"content": ' + b"9" * 10_000 + b"}",
    b'{"content": "x", "content": 5}',
    b'{"content": 5, "content": "x", "content": null}',
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"[" * 100_000,
    b'{"content": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"content": "' + b"x" * 200_000 + b'"}',
    b"\x1f\x8b\x08\x00" + b"\x00" * 20,
]


@pytest.mark.parametrize("text", TEXTS_THAT_ARE_NO_OBJECT, ids=lambda text: ascii(text[:30]))
def test_bodies_that_are_no_object(regular: Somebody, text: bytes) -> None:
    for path in ("/messages", GROUP + "/messages", "/auth/login"):
        answer = raw_json(regular, "POST", path, text)
        looks_well(answer)
        assert 400 <= answer.status < 500, answer


@settings(max_examples=EXAMPLES or 100, deadline=None, derandomize=not EXAMPLES, database=None)
@given(data=st.binary(max_size=300))
@example(data=b'{"conversation_id": 5}')
def test_random_bodies(regular_ever: Somebody, data: bytes) -> None:
    looks_well(raw_json(regular_ever, "POST", "/messages", data))


@pytest.fixture(scope="module")
def regular_ever(regular: Somebody) -> Somebody:
    return regular


@pytest.mark.parametrize(
    "kind",
    [
        b"text/plain",
        b"multipart/form-data",
        b"multipart/form-data; boundary=x",
        b"application/x-www-form-urlencoded",
        b"application/json; charset=utf-16",
        b"application/json; charset=no-such-thing",
        b"application/json/json",
        b"\xff",
        b"",
        b"a" * 5_000,
    ],
    ids=lambda kind: ascii(kind[:30]),
)
def test_strange_content_types(regular: Somebody, kind: bytes) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="content"\r\n\r\nhi\r\n--x--\r\n'
    looks_well(raw_json(regular, "POST", "/messages", body, kind=kind))


STRANGE_PATHS = [
    b"/api/v1/%00",
    b"/api/v1/%FF%FE",
    b"/api/v1/messages/%00",
    b"/api/v1/messages/00000000-0000-0000-0000-00000000000%00",
    b"/api/v1/messages/" + b"0" * 32,
    b"/api/v1/messages/%2e%2e/%2e%2e/etc/passwd",
    b"/api/v1//messages",
    b"/api/v1/messages/",
    b"//evil.example/%2f..",
    b"/static/../manage.py",
    b"/static/%2e%2e/%2e%2e/manage.py",
    b"/static/%00",
    b"/static/%FF",
    b"/static/" + b"x" * 300,
    b"/static/" + b"x/" * 2_000,
    b"/" + b"%F0%9F%98%80" * 100,
    b"/\xff\xfe",
    b"/api/v1/users/search?q=\xff",
    b"/api/v1/users/search?q=%",
    b"/api/v1/users/search?%00=%00",
    b"/api/v1/users/search?" + b"&".join(b"a%d=1" % number for number in range(1_500)),
    b"/admin/%00",
    b"/admin/login/?next=%00",
    b"/admin/login/?next=//evil.example",
    b"/health?%FF",
    b"/ws",
    b"/ws/%00",
    b"*",
    b"http://evil.example/api/v1/limits",
    b"/api/v1/schema?format=%00",
    b"/api/v1/limits?format=xml",
    b"/?" + b"x" * 30_000,
]


@pytest.mark.parametrize("path", STRANGE_PATHS, ids=lambda path: ascii(path[:40]))
def test_strange_paths(regular: Somebody, path: bytes) -> None:
    looks_well(raw_http(regular, [b"GET " + path + b" HTTP/1.1", *usual_headers(regular)]), json_wanted=False)


STRANGE_HEADERS = [
    b"X-Device-ID: \x00",
    b"X-Device-ID: a\x00b",
    b"X-Device-ID: \xff\xfe",
    b"X-Device-ID: " + b"x" * 5_000,
    b"X-Device-ID: \xf0\x9f\x98\x80",
    b"X-Device-ID: a\r\nX-Device-ID: b",
    b"Authorization: Bearer",
    b"Authorization: Bearer ",
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Bearer \x00",
    b"Authorization: Bearer a b c",
    b"Authorization: bearer " + b"x" * 20_000,
    b"Authorization: Basic Og==",
    b"Authorization: \xff",
    b"Cookie: sessionid=\xff; csrftoken=\xff",
    b"Cookie: sessionid=\x00",
    b"Cookie: sessionid=" + b"x" * 8_000,
    b'Cookie: sessionid="\\000"',
    b"Cookie: sessionid",
    b"Cookie: ;;;=;=x",
    b"Cookie: csrftoken=x; sessionid=../../etc/passwd",
    b"X-CSRFToken: \xff",
    b"Accept: application/xml",
    b"Accept: \xff",
    b"Accept: application/json; version=" + b"x" * 3_000,
    b"Accept-Language: " + b"x-" * 3_000,
    b"Accept-Encoding: \xff",
    b"Origin: \xff",
    b"Referer: \xff",
    b"X-Forwarded-For: \xff, not an address",
    b"X-Forwarded-For: 1.2.3.4:99999999999999",
    b"X-Forwarded-Proto: \xff",
    b"X-Forwarded-Host: \xff",
    b"X-HTTP-Method-Override: DELETE",
    b"Range: bytes=\xff-",
    b"If-None-Match: \xff",
    b"If-Modified-Since: \xff",
    b"If-Modified-Since: Thu, 99 Zzz 9999999999 00:00:00 GMT",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b"X: " + b"x" * 100_000,
    b"\r\n".join(b"X-%d: y" % number for number in range(2_000)),
    b"\xff\xff: y",
    b"no colon",
]


@pytest.mark.parametrize("header", STRANGE_HEADERS, ids=lambda header: ascii(header[:40]))
def test_strange_headers(regular: Somebody, header: bytes) -> None:
    login = json.dumps({"username": "nobody", "password": "x"}).encode()
    about_body = [b"Content-Type: application/json", b"Content-Length: %d" % len(login), header]
    usual = usual_headers(regular)
    if header.startswith((b"Authorization", b"Cookie")):
        usual = usual[:-1]
    looks_well(raw_http(regular, [b"POST /api/v1/auth/login HTTP/1.1", *usual, *about_body], login), json_wanted=False)
    for path in (b"/api/v1/users/me", b"/", b"/static/js/main.js", b"/admin/"):
        looks_well(raw_http(regular, [b"GET " + path + b" HTTP/1.1", *usual, header]), json_wanted=False)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /api/v1/limits HTTP/9.9",
        b"GET /api/v1/limits",
        b"get /api/v1/limits HTTP/1.1",
        b"\xff\xff /api/v1/limits HTTP/1.1",
        b"PROPFIND /api/v1/messages HTTP/1.1",
        b"TRACE /api/v1/messages HTTP/1.1",
        b"CONNECT /api/v1/messages HTTP/1.1",
        b"OPTIONS /api/v1/messages HTTP/1.1",
        b"HEAD /api/v1/users/me HTTP/1.1",
        b"HEAD /api/v1/messages HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0",
        b"\x00" * 100,
    ],
    ids=ascii,
)
def test_strange_request_lines(regular: Somebody, line: bytes) -> None:
    looks_well(raw_http(regular, [line, *usual_headers(regular)]), json_wanted=False)


@pytest.mark.parametrize("host", [b"", b"evil.example", b"\xff", b"127.0.0.1:99999", b"[::1", b"a b", b"127.0.0.1\x00"])
def test_strange_hosts(regular: Somebody, host: bytes) -> None:
    request = [b"GET /api/v1/limits HTTP/1.1", b"Host: " + host, b"Connection: close"]
    answer = raw_http(regular, request)
    looks_well(answer, json_wanted=False)
    assert host in (b"127.0.0.1:99999",) or answer.status in (0, 400), answer


def test_a_body_larger_than_any_is_refused(regular: Somebody) -> None:
    answer = raw_json(regular, "POST", "/messages", b'{"content": "' + b"x" * 6_000_000 + b'"}')
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "too_large")


# --- Reading what comes back --------------------------------------------------------------------


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
    with socket.create_connection((host, int(port)), timeout=10) as connection:
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


# --- Frames made from the structs of the registered commands ----------------------------------

document = asyncapi.document()
COMMANDS = {tag: kind for tag, (kind, _) in sorted(registry.commands.items())}
NOT_SAID = object()
NASTY_TEXTS = ["", "\x00", "\u202e", "\uffff", "\U0010ffff", "a" * 5_000, "null", "__proto__", "%s", "' OR 1=1 --"]
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30])
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(NASTY_TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def valid(schema: dict[str, Any], ids: list[str]) -> st.SearchStrategy[Any]:
    """Return values of a JSON schema, as far as the commands' schemas go; ids exist half of the time."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([valid(each, ids) for each in schema["anyOf"]])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum")) | st.integers(0, 3)
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "string" if schema.get("format") == "uuid":
            return st.sampled_from(ids) | st.uuids().map(str)
        case "string" if schema.get("format") == "date-time":
            return st.datetimes().map(lambda moment: moment.isoformat() + "Z")
        case "string":
            return st.text(max_size=min(schema.get("maxLength", 50), 200))
        case "object" if "properties" in schema:
            required = {name: valid(schema["properties"][name], ids) for name in schema.get("required", ())}
            optional = {name: valid(each, ids) for name, each in schema["properties"].items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            keys = st.sampled_from(ids) | st.uuids().map(str)
            return st.dictionaries(keys, valid(schema["additionalProperties"], ids), max_size=4)
        case "object":
            return st.dictionaries(st.text(max_size=10), anything, max_size=4)
    return anything


@st.composite
def frames(draw: st.DrawFn) -> str:
    """Return a command's text, broken in some way more often than not. `@0` to `@2` stand for ids that exist."""
    kind = COMMANDS[draw(st.sampled_from(sorted(COMMANDS)))]
    schema = document["components"]["schemas"][kind.__name__]
    frame = draw(valid(schema, ["@0", "@1", "@2"]))
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*schema["properties"], "colour"]))
        value = draw(st.just(NOT_SAID) | anything)
        frame = {key: old for key, old in frame.items() if key != name} | ({} if value is NOT_SAID else {name: value})
    text = json.dumps(frame, ensure_ascii=draw(st.booleans()))
    match draw(st.integers(0, 7)):
        case 0:  # a piece of it is something else
            begin = draw(st.integers(0, len(text)))
            piece = draw(st.sampled_from(['"', "\\", "\\ud800", "\\u0000", "}", "[", "1e999", "NaN", "\x00", ","]))
            text = text[:begin] + piece + text[begin + draw(st.integers(0, 3)) :]
        case 1:  # a key is there twice
            twice = draw(st.sampled_from(["id", *schema["properties"]]))
            text = text[:-1] + f", {json.dumps(twice)}: {json.dumps(draw(anything))}" + "}"
        case 2:  # it is deep inside something
            depth = draw(st.integers(1, 3_000))
            text = draw(st.sampled_from(["[", '{"a":'])) * depth + text
    return text


class Client:
    """A socket that comes back when it was closed, and knows what every frame must look like."""

    def __init__(self, somebody: Somebody) -> None:
        self.somebody = somebody
        self._open = ExitStack()
        self._socket: ClientConnection | None = None
        schemas = document["components"]["schemas"]
        self._validators = {
            tag: jsonschema.Draft202012Validator(
                {"$ref": f"#/components/schemas/{kind.__name__}", "components": {"schemas": schemas}}
            )
            for tag, kind in registry.frames.items()
        }

    @property
    def socket(self) -> ClientConnection:
        if self._socket is None:
            self._socket = self._open.enter_context(
                connect(
                    self.somebody.server.replace("http", "ws") + "/ws",
                    additional_headers={"Authorization": f"Bearer {self.somebody.token}"},
                    compression=None,
                    max_size=None,
                    proxy=None,
                )
            )
            assert self.hears()["type"] == "connected"
        return self._socket

    def hears(self) -> Any:
        """Return the next frame, which must be as the document says."""
        assert self._socket is not None
        text = self._socket.recv(timeout=10)
        frame = json.loads(text)
        self._validators[frame["type"]].validate(frame)
        if frame["type"] == "error":
            assert frame["code"] != "server_error", frame
        return frame

    def survives(self, data: str | bytes, *, text: bool = True) -> list[Any]:
        """Send something, then a ping; return what came before the pong.

        The server may close with a documented code instead; the close code stands for what came then.
        """
        try:
            self.socket.send(data, text=text)
            return self.hears_until({"type": "ping"})
        except ConnectionClosed as closed:
            self._socket = None
            if closed.rcvd is None and len(data) > 65_536:
                return [1009]  # the goodbye may be lost when the server hangs up on what it has not read
            assert closed.rcvd is not None, f"hung up without a close frame after {data!r}"
            assert closed.rcvd.code in asyncapi.CLOSE_CODES, closed
            return [closed.rcvd.code]

    def hears_until(self, command: dict[str, Any]) -> list[Any]:
        """Send a command that is answered, and return what comes before the answer to it."""
        fence = f"fence-{uuid4()}"
        self.socket.send(json.dumps(command | {"id": fence}))
        heard = []
        while (frame := self.hears()).get("id") != fence:
            heard.append(frame)
        return heard

    def settles(self, command: Any) -> None:
        """Wait until what a command set going has ended: receipts and sends are answered after their commit."""
        if command["type"] in ("delivery_receipt", "read_receipt"):
            self.hears_until({"type": "delivery_receipt", "message_id": str(uuid4())})
        elif command["type"] == "send_message":
            self.hears_until(command)  # repeated, in the same lane

    def ends(self) -> None:
        self._open.close()


@pytest.fixture(scope="module")
def client(fuzzed: Site) -> Iterator[Client]:
    client = Client(Somebody(fuzzed.servers[0].http).signs_up())
    yield client
    client.ends()


FUZZ = settings(
    max_examples=EXAMPLES or 800,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@FUZZ
@given(text=frames())
def test_frames_made_from_the_structs(client: Client, text: str) -> None:
    for number, name in enumerate(("conversation_id", "message_id", "user_id")):
        text = text.replace(f"@{number}", client.somebody.ids[name])
    heard = client.survives(text.encode("utf-8", "replace"))
    frame = read(text, Any)
    if read(text, functools.reduce(operator.or_, COMMANDS.values())) is not None:
        client.settles(frame)
    elif heard != [1009]:
        (error,) = [each for each in heard if each["type"] == "error"]
        assert error["code"] in ("malformed", "invalid", "unknown_type")
        mine = frame.get("id") if isinstance(frame, dict) else None
        assert error.get("id") == (mine if isinstance(mine, str) and len(mine) <= 128 else None)


def read(text: str, kind: Any) -> Any:
    """Return a frame's text as this type, None when it is nothing of that type."""
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"), type=kind)
    except (msgspec.MsgspecError, RecursionError):
        return None


@FUZZ
@given(data=st.binary(max_size=200))
@example(data=b"\xff\xfe")
@example(data=b'{"type": "ping", "id": "\xed\xa0\x80"}')
@example(data=b"\x00")
def test_random_bytes_as_text_frames(client: Client, data: bytes) -> None:
    heard = client.survives(data)
    try:
        data.decode()
    except UnicodeDecodeError:
        assert heard == [1007]
    else:
        assert [frame["type"] for frame in heard] == ["error"]


@pytest.mark.parametrize("data", [b"", b"\x00", b'{"type": "ping"}', b"x" * 70_000], ids=lambda data: ascii(data[:20]))
def test_binary_frames_close_the_socket(client: Client, data: bytes) -> None:
    assert client.survives(data, text=False) == [1009 if len(data) > 65_536 else 1003]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (" " * 65_537, 1009),
        ("[" * 65_536, "malformed"),
        ('{"a":' * 10_000, "malformed"),
        ('{"type":"ping","timestamp":' + "9" * 60_000 + "}", "invalid"),
        ('{"type":"ping","timestamp":1e400}', "invalid"),
        ('{"type":"ping","timestamp":NaN}', "malformed"),
        ('{"type":"ping","timestamp":"' + "x" * 65 + '"}', "invalid"),
        ('{"type":"ping","id":"' + "x" * 129 + '"}', "invalid"),
        ('{"type":"ping","id":5}', "invalid"),
        ('{"type":"ping","id":"\\ud800"}', "malformed"),
        ('{"type":"ping","type":"auth"}', "unknown_type"),
        ('{"TYPE":"ping"}', "unknown_type"),
        ('{"type":"ping","type2":1}', "invalid"),
        ('{"type":["ping"]}', "unknown_type"),
        ('{"type":"sync","cursors":{"' + str(uuid4()) + '":1.5}}', "invalid"),
        ('{"type":"sync","cursors":[]}', "invalid"),
        ('{"type":"sync","cursors":{},"since":"0001-01-01T00:00:00Z"}', "sync_complete"),
        ('{"type":"sync","cursors":{},"since":"9999-12-31T23:59:59-23:59"}', "sync_complete"),
        ('{"type":"sync","cursors":{},"since":"2026-01-01T00:00:00"}', "invalid"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_frames_that_mean_trouble(client: Client, text: str, outcome: str | int) -> None:
    (heard,) = client.survives(text)
    if isinstance(heard, int):
        assert heard == outcome
    else:
        assert outcome in (heard["type"], heard.get("code"))
