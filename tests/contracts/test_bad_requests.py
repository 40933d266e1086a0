"""Requests with bad values: generated from the OpenAPI file, and a list of hostile ones."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contracts.bad_input import NOWHERE, Somebody, looks_well, raw_http, raw_json, tries, usual_headers
from tests.harness.device import PASSWORD
from tests.harness.product import PROJECT
from tests.harness.servers import Profile, Site
from tests.waiting import DEADLINE

# --- Generated from the OpenAPI file -------------------------------------------------------------

api = schemathesis.openapi.from_path(PROJECT / "docs" / "openapi.json")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@api.parametrize()
@tries(25)
def test_requests_made_from_the_schema(case: schemathesis.Case, somebody: Somebody) -> None:
    headers = {"Authorization": f"Bearer {somebody.token}"}
    case.call_and_validate(base_url=somebody.server, headers=headers, checks=CHECKS, timeout=DEADLINE)
    if fills_in_known_ids(case, somebody.ids):
        case.call_and_validate(base_url=somebody.server, headers=headers, checks=CHECKS, timeout=DEADLINE)


def fills_in_known_ids(case: schemathesis.Case, ids: dict[str, str]) -> bool:
    """Replace generated ids by ids of existing things; return whether there were any."""
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


@pytest.fixture
def somebody(fuzzed_sites: Callable[[Profile], Site]) -> Iterator[Somebody]:
    """A new person for each operation: the operation may sign them out or make them leave."""
    site = fuzzed_sites("production")
    with site.clean_logs():
        yield Somebody(site.servers[0].http).signs_up()


# --- Hostile values ------------------------------------------------------------------

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
    cursor_of(f"2026-01-01T00:00:00|{NOWHERE}"),
    *(cursor_of(f"{moment}|{NOWHERE}") for moment in MOMENTS),
    cursor_of("2026-01-01T00:00:00+00:00|\x00"),
    cursor_of("2026-W01-1T00:00:00+00:00|" + "1" * 32),
]
STRANGE_NUMBERS = ["-1", "1e3", "1e400", "NaN", "9" * 400, "9223372036854775808", "0x10", "%00", "1_0", "%D9%A1", ""]
STRANGE_QUERIES = [
    *(f"{GROUP}/participants?cursor={cursor}" for cursor in STRANGE_CURSORS),
    *(f"/conversations?cursor={cursor}" for cursor in STRANGE_CURSORS),
    *(f"{GROUP}/messages?{name}={number}" for name in ("before", "around", "limit") for number in STRANGE_NUMBERS),
    *(f"{GROUP}/events?after={number}" for number in STRANGE_NUMBERS),
    *(
        f"/{path}{ids}"
        for path in ("users?ids=", "presence?user_ids=")
        for ids in ("", ",", "x", "%00", "%F0%9F%98%80", ",".join([NOWHERE] * 101), NOWHERE)
    ),
    *(f"/users/search?q={q}" for q in ("%00", "%FF", "%25%5C_", "%ED%A0%80", "%F0%9F%98%80" * 60, "a&q=b", "+")),
    *(f"/conversations?q={q}" for q in ("%00", "%FF", "%25%5C_", "%ED%A0%80", "a&q=b")),
    "/conversations?unread=maybe&unread=true",
    "/conversations?archived[]=1",
]
STRANGE_BODIES: list[tuple[str, str, Any]] = [
    *(
        ("POST", "/messages", {"conversation_id": "{conversation_id}", "content": "x", "mentions": mentions})
        for mentions in (
            None,
            {},
            [None],
            [[]],
            [{}],
            [{"user_id": "{user_id}", "offset": 0}],
            [{"user_id": "{user_id}", "offset": 0, "length": 1, "more": 1}],
            [{"user_id": "\x00", "offset": 0, "length": 1}],
            *([{"user_id": "{user_id}", "offset": number, "length": 1}] for number in (-1, 1.5, 2**63, 10**400, None)),
            *([{"user_id": "{user_id}", "offset": 0, "length": number}] for number in (0, -(2**63), 2**64, "1")),
            [{"user_id": "{user_id}", "offset": 0, "length": 1}] * 51,
        )
    ),
    ("PATCH", GROUP, {"settings": None}),
    ("PATCH", GROUP, {"settings": {"notifications_enabled": None}}),
    ("PATCH", GROUP, {"settings": {"notifications_enabled": 1, "slow_mode": 5}}),
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
    ("POST", "/conversations", {"type": "group", "participant_ids": [NOWHERE] * 5_001}),
    ("POST", "/conversations", {"type": "group", "participant_ids": ["{user_id}"] * 5_000}),
    ("POST", "/conversations", {"type": "direct", "participant_ids": ["{user_id}"]}),
    ("POST", GROUP + "/participants", {"user_ids": ["00000000000000000000000000000000"]}),
]


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("path", STRANGE_QUERIES, ids=ascii)
def test_strange_queries_cause_no_server_error(regular: Somebody, path: str) -> None:
    request = f"GET /api/v1{path.format_map(regular.ids)} HTTP/1.1"
    looks_well(raw_http(regular, [request.encode(), *usual_headers(regular)]))


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(("method", "path", "body"), STRANGE_BODIES, ids=lambda value: ascii(value)[:60])
def test_strange_bodies_cause_no_server_error(regular: Somebody, method: str, path: str, body: Any) -> None:
    text = json.dumps(body)
    for name, value in regular.ids.items():
        text = text.replace(f"{{{name}}}", value)
    looks_well(raw_json(regular, method, path, text.encode()))


def test_a_moment_without_a_zone_is_refused(regular: Somebody) -> None:
    answer = raw_json(regular, "POST", "/sync", b'{"cursors": {}, "since": "2026-01-01T00:00:00"}')
    assert answer.status == 400
    assert list(json.loads(answer.body)["fields"]) == ["since"]
