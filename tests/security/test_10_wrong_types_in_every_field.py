"""10: a value of a wrong type in any field of a body or command is refused, and the field is named."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest

from chatsite import asyncapi  # imports every module that declares commands
from realtime.registry import registry
from realtime.socket.commands import decode_command
from realtime.wire import bodies
from realtime.wire.errors import DomainError

assert asyncapi
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, -(2**63), 1e308, "", "x", "\x00", "x" * 100_000, "null", "{}", [], [None], [[]],
    {}, {"": None}, [{"a": []}],
]  # fmt: skip
COMMANDS = {tag: command.frame for tag, command in sorted(registry.commands.items())}


def requests() -> list[type[msgspec.Struct]]:
    """Return the struct of every body that a view may read: all structs from clients that are not commands."""
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
    """Yield a field and an object with only this field, which has a wrong value."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    fields = jsonschema.Draft202012Validator(schema_of(kind))
    for name in names:
        for value in VALUES:
            given = {name: value}
            faults = [error for error in fields.iter_errors(given) if list(error.absolute_path)[:1] == [name]]
            if faults:
                yield name, given


@pytest.mark.parametrize("kind", requests(), ids=lambda kind: kind.__name__)
def test_a_wrong_type_in_a_body_is_refused_and_named(kind: type[msgspec.Struct]) -> None:
    tried = 0
    for name, given in wrong_fields(kind):
        tried += 1
        with pytest.raises(DomainError) as refused:
            bodies.decode(msgspec.json.encode(given), kind)
        assert refused.value.status == 400, given
        assert_named(refused.value, name)
    assert tried


@pytest.mark.parametrize(("tag", "kind"), COMMANDS.items(), ids=list(COMMANDS))
def test_a_wrong_type_in_a_command_is_refused_and_named(tag: str, kind: type[msgspec.Struct]) -> None:
    for name, given in wrong_fields(kind):
        if name == "type":
            continue
        with pytest.raises(DomainError) as refused:
            decode_command(msgspec.json.encode({"type": tag} | given).decode())
        assert_named(refused.value, name)


def assert_named(refusal: DomainError, name: str) -> None:
    """Assert that the wrong field is named, or instead a required one that is missing."""
    assert refusal.code == "invalid"
    assert refusal.fields
    named = next(iter(refusal.fields))
    assert named.startswith(name) or "missing required field" in refusal.message, (name, refusal.fields)
    assert len(refusal.message) < 500, "the refusal repeats too much of the request"


def test_a_refusal_of_a_long_value_is_short() -> None:
    long = "x" * 60_000
    for given in ({"type": long}, {"type": "ping", long: 1}, {"type": "presence_update", "status": long}):
        with pytest.raises(DomainError) as refused:
            decode_command(msgspec.json.encode(given).decode())
        assert len(str(refused.value.body())) < 1_500
