"""The table of docs/security.md is true: the tests it names exist, and the capabilities it calls absent are absent."""

import ast
import re
from collections.abc import Iterator

import pytest

from chatsite import asyncapi  # imports every module that declares commands and frames
from realtime.registry import registry
from tests.contracts.routes import patterns
from tests.harness.product import PROJECT

assert asyncapi
PAGE = (PROJECT / "docs" / "security.md").read_text()
LIST, TRAPS = (re.split(r"^## ", PAGE, flags=re.MULTILINE)[number] for number in (1, 2))
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+?)(?:::(\w+))?`", LIST + TRAPS)))
ABSENT = sorted(set(re.findall(r"`(\w+)`", " ".join(re.findall(r"not in the product: ([^|;]+)", LIST + TRAPS)))))
# The word in an address or frame that shows a capability, where it is not the name of the capability.
KNOWN_BY = {"blocked": "block", "codes": "code", "reactions": "reaction", "webhooks": "webhook", "export": "export",
            "attachments": "attachment", "erasure": "erase"}  # fmt: skip


def rows(section: str) -> list[list[str]]:
    lines = re.findall(r"^\| (.+) \|$", section, re.MULTILINE)
    return [line.split(" | ") for line in lines if not line.startswith(("---", "item", "trap"))]


def test_all_thirty_items_are_there_in_order() -> None:
    assert [row[0] for row in rows(LIST)] == [str(number) for number in range(1, 31)]


def test_all_traps_are_there() -> None:
    assert len(rows(TRAPS)) == 13


@pytest.mark.parametrize("row", rows(LIST) + rows(TRAPS), ids=lambda row: row[0])
def test_every_item_names_a_test_or_is_not_in_the_product(row: list[str]) -> None:
    assert "`tests/" in row[-1] or row[-1].startswith("not in the product: `")


@pytest.mark.parametrize(("path", "test"), NAMED, ids=lambda value: value or "all")
def test_every_named_test_exists(path: str, test: str) -> None:
    file = PROJECT / path
    assert file.exists()
    if file.suffix == ".py":
        found = set(named_tests(file.read_text()))
        assert found
        assert not test or test in found


def named_tests(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def test_every_file_of_the_list_is_named() -> None:
    there = {f"tests/security/{file.name}" for file in (PROJECT / "tests" / "security").glob("test_*.py")}
    assert there - {path for path, _ in NAMED} == set()


@pytest.mark.parametrize("capability", ABSENT)
def test_a_capability_called_absent_is_absent(capability: str) -> None:
    """When a capability is added, its items in the list need tests."""
    word = KNOWN_BY.get(capability, capability)
    names = [path for path, _ in patterns() if not path.startswith("admin/")]
    names += [*registry.commands, *registry.frames]
    assert not [name for name in names if word in name.lower()]
