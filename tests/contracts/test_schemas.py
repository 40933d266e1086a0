"""The published schemas match the code: they are fresh, complete and valid."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from drf_spectacular.validation import validate_schema

from chatsite.management.commands.write_schemas import schemas
from realtime.registry import registry
from realtime.wire.close_codes import CloseCode
from tests.contracts.routes import api_routes
from tests.harness.product import PROJECT


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return schemas()


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_the_files_are_fresh(made: dict[str, str], name: str) -> None:
    assert (PROJECT / "docs" / name).read_text() == made[name], "stale: run `manage.py write_schemas`"


# --- OpenAPI ------------------------------------------------------------------------------


def test_openapi_is_valid(made: dict[str, str]) -> None:
    validate_schema(json.loads(made["openapi.json"]))


def test_openapi_describes_every_route(made: dict[str, str]) -> None:
    described = {
        (path, method.upper())
        for path, operations in json.loads(made["openapi.json"])["paths"].items()
        for method in operations
    }
    undescribed = {"/api/v1/schema", "/api/v1/schema/try"}
    assert described == {(route.path, route.method) for route in api_routes() if route.path not in undescribed}


def test_openapi_references_resolve(made: dict[str, str]) -> None:
    content = json.loads(made["openapi.json"])
    assert "filled_in" not in made["openapi.json"], "a struct's schema was not filled in"
    for reference in references(content):
        resolve(content, reference)


# --- AsyncAPI -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def socket_document(made: dict[str, str]) -> Any:
    return json.loads(made["asyncapi.json"])


def test_asyncapi_describes_every_command_and_frame(socket_document: Any) -> None:
    operations = socket_document["operations"]
    assert set(operations) == {f"receive_{tag}" for tag in registry.commands} | {
        f"send_{tag}" for tag in registry.frames
    }
    messages = socket_document["components"]["messages"]
    assert {message["name"] for message in messages.values()} == {*registry.commands, *registry.frames}
    assert all(message["summary"] for message in messages.values())


def test_asyncapi_references_resolve(socket_document: Any) -> None:
    for reference in references(socket_document):
        resolve(socket_document, reference)


def test_an_operation_names_messages_of_its_channel(socket_document: Any) -> None:
    for operation in socket_document["operations"].values():
        for part in filter(None, (operation, operation.get("reply"))):
            prefix = part["channel"]["$ref"] + "/messages/"
            assert part["messages"]
            assert all(message["$ref"].startswith(prefix) for message in part["messages"])


def test_payloads_are_valid_json_schemas_with_their_own_type(socket_document: Any) -> None:
    for message in socket_document["components"]["messages"].values():
        payload = resolve(socket_document, message["payload"]["$ref"])
        jsonschema.Draft202012Validator.check_schema(payload)
        assert payload["properties"]["type"] == {"enum": [message["name"]]}
        assert "type" in payload["required"]


def test_an_operation_names_the_answers_of_its_command_and_the_refusal(socket_document: Any) -> None:
    operation = socket_document["operations"]["receive_send_message"]
    answers = [message["$ref"].rsplit("/", 1)[1] for message in operation["reply"]["messages"]]
    assert answers == ["MessageAck", "Error"]


def test_every_close_code_is_described(socket_document: Any) -> None:
    channel = socket_document["channels"]["socket"]
    assert set(channel["x-close-codes"]) == {str(code.value) for code in CloseCode}
    for code in CloseCode:
        assert f"| {code.value} | {code.meaning} | {code.advice} |" in channel["description"]
        explained = channel["x-close-codes"][str(code.value)]
        assert code.meaning[1:] in explained
        assert code.advice[1:] in explained


# --- References --------------------------------------------------------------------


def references(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        if isinstance(content.get("$ref"), str):
            yield content["$ref"]
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            yield from references(each)


def resolve(content: Any, reference: str) -> Any:
    assert reference.startswith("#/"), reference
    for part in reference[2:].split("/"):
        content = content[part.replace("~1", "/").replace("~0", "~")]
    return content
