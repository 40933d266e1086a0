"""24: no body or command sets a column that it does not declare; every column of every table is tried."""

import json

import msgspec
import pytest
from django.apps import apps
from django.test import Client

from chatsite import asyncapi  # imports every module that declares commands
from realtime.registry import registry
from realtime.socket.commands import decode_command
from realtime.wire.bodies import decode
from realtime.wire.errors import DomainError
from tests.contracts.asking import ask
from tests.contracts.matrix import MATRIX, Row
from tests.contracts.world import World
from tests.security.test_10_wrong_types_in_every_field import requests

assert asyncapi
COLUMNS = sorted(
    {
        name
        for app in ("accounts", "conversations", "messaging")
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        for name in {field.name, getattr(field, "attname", field.name)}
    }
)
WITH_BODIES = [row for row in MATRIX if isinstance(row.body, dict) and row.outcomes["owner"] < 300]


def test_the_columns_include_the_sensitive_ones() -> None:
    assert {"is_staff", "is_superuser", "password", "token_hash", "sender_id", "sequence", "history_from"} <= {*COLUMNS}


@pytest.mark.parametrize("kind", requests(), ids=lambda kind: kind.__name__)
def test_every_body_forbids_unknown_fields(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.forbid_unknown_fields


@pytest.mark.parametrize("kind", requests(), ids=lambda kind: kind.__name__)
def test_a_body_refuses_every_column_it_does_not_declare(kind: type[msgspec.Struct]) -> None:
    for column in COLUMNS:
        if column not in kind.__struct_encode_fields__:
            with pytest.raises(DomainError) as refused:
                decode(json.dumps({column: 1}), kind)
            assert list(refused.value.fields or ()) == [column]


def test_every_route_refuses_undeclared_columns(world: World) -> None:
    """As the owner, who has the most rights."""
    for row in WITH_BODIES:
        for column in ("is_superuser", "sender_id", "history_from"):
            body = {**row.body, column: 1}
            answer = ask(Row(row.route, row.outcomes, body, row.query, path=row.path), "owner", world)
            assert (answer.status_code, list(json.loads(answer.content)["fields"])) == (400, [column]), str(row)


@pytest.mark.parametrize("tag", sorted(registry.commands))
def test_a_command_refuses_every_column_it_does_not_declare(tag: str) -> None:
    kind = registry.commands[tag].frame
    for column in COLUMNS:
        if column not in (*kind.__struct_fields__, "type"):
            with pytest.raises(DomainError) as refused:
                decode_command(json.dumps({"type": tag, column: 1}))
            assert refused.value.code == "invalid"


def test_registration_by_a_form_is_refused(db: None) -> None:
    form = "username=formal&password=correct+horse+battery&is_staff=on"
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert Client().post("/api/v1/auth/register", form, content_type=kind).status_code == 415
