"""10: every field of every body and command, with a value of every other type: refused, and named."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest

from chatsite import asyncapi  # which knows every registered command
from realtime import registry
from realtime.socket.commands import decode_command
from realtime.wire import bodies
from realtime.wire.errors import DomainError

assert asyncapi
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, -(2**63), 1e308, "", "x", "\x00", "x" * 100_000, "null", "{}", [], [None], [[]],
    {}, {"": None}, [{"a": []}],
]  # fmt: skip
COMMANDS = {tag: kind for tag, (kind, _) in sorted(registry.commands.items())}


def requests() -> list[type[msgspec.Struct]]:
    """Return every body that a view may read: all structs that come from a client and are no commands."""
    import accounts.urls
    import conversations.urls
    import messaging.urls
    import presence.urls

    assert all((accounts.urls, conversations.urls, messaging.urls, presence.urls))
    found, waiting = set(), [bodies.Request]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__struct_fields__ and kind.__struct_config__.tag is None and kind.__module__.endswith(".frames"):
            found.add(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    return {"$ref": f"#/components/schemas/{kind.__name__}", "components": {"schemas": components}}


def wrong_fields(kind: type[msgspec.Struct]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a field and an object in which only this field, and what is missing, is wrong."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    fields = jsonschema.Draft202012Validator(schema_of(kind))
    for name in names:
        for value in VALUES:
            given = {name: value}
            faults = [error for error in fields.iter_errors(given) if list(error.absolute_path)[:1] == [name]]
            if faults:
                yield name, given


@pytest.mark.parametrize("kind", requests(), ids=lambda kind: kind.__name__)
def test_bodies(kind: type[msgspec.Struct]) -> None:
    tried = 0
    for name, given in wrong_fields(kind):
        tried += 1
        with pytest.raises(DomainError) as refused:
            bodies.decode(msgspec.json.encode(given), kind)
        assert refused.value.status == 400, given
        assert_named(refused.value, name)
    assert tried


@pytest.mark.parametrize(("tag", "kind"), COMMANDS.items(), ids=list(COMMANDS))
def test_commands(tag: str, kind: type[msgspec.Struct]) -> None:
    for name, given in wrong_fields(kind):
        if name == "type":
            continue
        with pytest.raises(DomainError) as refused:
            decode_command(msgspec.json.encode({"type": tag} | given).decode())
        assert_named(refused.value, name)


def assert_named(refusal: DomainError, name: str) -> None:
    """A wrong field is named; where another required one is missing, that may be named instead."""
    assert refusal.code == "invalid"
    assert refusal.fields
    named = next(iter(refusal.fields))
    assert named.startswith(name) or "missing required field" in refusal.message, (name, refusal.fields)
    assert len(refusal.message) < 500, "not all that was sent is sent back"


def test_a_refusal_quotes_a_little_of_what_was_wrong() -> None:
    long = "x" * 60_000
    for given in ({"type": long}, {"type": "ping", long: 1}, {"type": "presence_update", "status": long}):
        with pytest.raises(DomainError) as refused:
            decode_command(msgspec.json.encode(given).decode())
        assert len(str(refused.value.body())) < 1_500
