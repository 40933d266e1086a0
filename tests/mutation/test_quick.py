"""Live functions and closures get changed code, and the watch records the functions of each test."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.quick import _Functions, _Watch

SOURCE = """
LIMIT = 1

def outer(a):
    def inner():
        return a + 1
    return inner

class Thing:
    @property
    def size(self):
        return LIMIT + 2
"""


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "example_to_change.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("example_to_change")
    del sys.modules["example_to_change"]


def change(module: ModuleType, after: str) -> Mutant:
    return next(each for each in mutants(SOURCE, str(module.__file__)) if each.after == after)


def test_live_functions_get_the_code_of_a_mutant(example: ModuleType) -> None:
    functions = _Functions(example.__name__)
    inner, thing = example.outer(3), example.Thing()
    for after, name in (("return a - 1", "outer.<locals>.inner"), ("return LIMIT - 2", "Thing.size")):
        mutant = change(example, after)
        assert mutant.function == name
        assert functions.can_become(mutant.code, name)
        functions.become(mutant.code)
        assert (example.outer(3)(), thing.size) == ((2, 3) if "outer" in name else (4, -1))
    assert inner() == 4, "a closure made before the change keeps its code"


def test_import_time_code_and_lost_closures_need_a_new_import(example: ModuleType) -> None:
    inner = example.outer(3)
    functions = _Functions(example.__name__)
    assert inner() == 4
    constant = change(example, "LIMIT = 2")
    assert (constant.function, functions.can_become(constant.code, constant.function)) == ("", False)
    without_closure = change(example, "return None")
    assert not functions.can_become(without_closure.code, without_closure.function)


def test_the_watch_records_the_functions_of_each_test(example: ModuleType) -> None:
    watch = _Watch(_Functions(example.__name__))
    watch.test_begins("one")
    example.outer(3)()
    watch.test_begins("two")
    assert example.Thing().size == 3
    seen = watch.seen()
    assert {test: each["functions"] for test, each in seen.items()} == {
        "one": ["outer", "outer.<locals>.inner"],
        "two": ["Thing.size"],
    }
