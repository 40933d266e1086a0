"""Decoding JSON into typed bodies, from several threads at once, and the errors for JSON that does not fit."""

import subprocess
import sys
from typing import Any

import pytest

from realtime.wire.bodies import MOST_QUOTED, Request, brief, convert, decode
from realtime.wire.errors import DomainError

FIRST_USES = """
import sys, threading
from typing import Annotated
import msgspec
from realtime.wire import bodies

def struct(**fields):
    return type("Fresh", (bodies.Request,), {"__annotations__": fields})

def nested(*others):
    numbers = {f"x{n}": Annotated[int, msgspec.Meta(ge=n)] for n in range(20)}
    return struct(**numbers, others=list[others] if others else int)

def use(kind, gate):
    gate.wait()
    numbers = {f"x{n}": n for n in range(20)}
    for _ in range(20):
        assert bodies.convert(numbers | {"others": [numbers | {"others": 1}]}, kind).others[0].others == 1
        bodies.decode(msgspec.json.encode(numbers | {"others": []}), kind)

sys.setswitchinterval(1e-6)
for _ in range(100):
    kind, gate = nested(nested()), threading.Barrier(4)
    threads = [threading.Thread(target=use, args=(kind, gate)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("alive")
"""


def test_concurrent_first_uses_of_a_type_do_not_crash() -> None:
    ended = subprocess.run([sys.executable, "-c", FIRST_USES], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr


class Inner(Request):
    number: int


class Outer(Request):
    one: Inner
    several: list[Inner] = []
    anything: Any = None


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"one": {"number": []}}, {"one.number"}),
        ({"one": {}}, {"one.number"}),
        ({}, {"one"}),
        ({"one": {"number": 1, "other": 2}}, {"one.other"}),
        ({"one": {"number": 1}, "several": [{}]}, {"several[0].number"}),
    ],
)
def test_an_invalid_field_is_named_by_its_path(value: Any, fields: set[str]) -> None:
    with pytest.raises(DomainError) as refused:
        convert(value, Outer)
    assert (refused.value.code, set(refused.value.fields or {})) == ("invalid", fields)


@pytest.mark.parametrize(
    ("text", "why"), [('{"anything":' + "[" * 5_000, "nested too deeply"), ('{"one":', "truncated")]
)
def test_malformed_json_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(DomainError, match=why) as refused:
        decode(text, Outer)
    assert refused.value.code == "malformed"


def test_a_quote_in_an_error_is_cut_at_its_limit() -> None:
    longest = "x" * MOST_QUOTED
    assert (brief(longest), brief(longest + "y")) == (longest, longest + "\u2026")
