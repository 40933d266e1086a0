"""Quick trials: the tests are collected once, and a trial is a fork of that process with changed functions.

A trial runs only the tests that call the changed function, the fastest first. A change outside of functions takes
effect during import, so it needs a slow trial.
"""

import ast
import gc
import importlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TypeGuard

import pytest

from tests.mutation.mutants import Mutant

# A function of a module: its qualified name and its first line.
Key = tuple[str, int]
# Runs a trial: takes the function that forks it and the seconds of its tests, returns the outcome.
Judge = Callable[[Callable[[], int], float], str]
# Seconds; longer than all tests of a module take without a change.
LONGEST_RUN = 100.0
# The name of the watch in the watched module.
WATCH = "_watch_of_the_mutation_run"


class QuickTrials:
    """A pytest plugin that runs the relevant tests once per mutant, instead of all tests once."""

    def __init__(self, module: str, changes: Mapping[int, Mutant], judge: Judge, notes: Path, outcomes: Path) -> None:
        self._module, self._changes, self._judge = module, changes, judge
        self._notes, self._outcomes = notes, outcomes
        self._watch: _Watch | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the trials and store their outcomes; in the process of a trial let pytest run the chosen tests."""
        try:
            self._try_all(session)
        except _IsTrial:
            return None
        return True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Report the beginning of a test to the watch, if there is one."""
        if self._watch is not None:
            self._watch.test_begins(nodeid)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Store the record of the watch, if all tests passed."""
        if self._watch is not None and not exitstatus:
            self._notes.write_text(json.dumps(self._watch.seen()))

    def _try_all(self, session: pytest.Session) -> None:
        functions = _Functions(self._module)
        gc.freeze()  # all trials share these objects
        self._judge(lambda: self._forked_to_watch(functions), LONGEST_RUN)
        if not self._notes.exists():
            return
        seen: dict[str, Any] = json.loads(self._notes.read_text())
        cheapest_first = _cheapest_first(session.items, seen)
        outcomes: dict[int, str] = {}
        for number, change in self._changes.items():
            tests = [item for item in cheapest_first if change.function in seen[item.nodeid]["functions"]]
            if tests and functions.can_become(change.code, change.function):

                def forked(tests: Sequence[pytest.Item] = tests, code: CodeType = change.code) -> int:
                    return self._forked(session, tests, functions, code)

                seconds = sum(float(seen[item.nodeid]["seconds"]) for item in tests)
                outcomes[number] = self._judge(forked, seconds)
        self._judge(lambda: self._forked_to_watch(functions), LONGEST_RUN)
        if self._notes.exists():  # the tests still pass unchanged, so no trial disturbed the later ones
            self._outcomes.write_text(json.dumps(outcomes))

    def _forked(
        self, session: pytest.Session, tests: Sequence[pytest.Item], functions: "_Functions", code: CodeType
    ) -> int:
        child = os.fork()
        if not child:
            os.setsid()
            functions.become(code)
            session.items[:] = tests
            raise _IsTrial
        return child

    def _forked_to_watch(self, functions: "_Functions") -> int:
        self._notes.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            os.setsid()
            self._watch = _Watch(functions)
            raise _IsTrial
        return child


class CheapestFirst:
    """A pytest plugin that sorts the tests by their time in the watched run."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests."""
        items[:] = _cheapest_first(items, json.loads(self._notes.read_text()))


def _cheapest_first(items: Sequence[pytest.Item], seen: Mapping[str, Any]) -> list[pytest.Item]:
    return sorted(items, key=lambda item: float(seen[item.nodeid]["seconds"]))


class _IsTrial(Exception):
    """Raised in the forked process of a trial, so that pytest runs its tests."""


class _Functions:
    """The functions of an imported module, whose code can be replaced."""

    def __init__(self, module: str) -> None:
        self._space = vars(importlib.import_module(module))
        self.file: str = self._space["__file__"]
        self._all = [(_key(each.__code__), each) for each in gc.get_objects() if self._is_one(each)]

    def can_become(self, code: CodeType, name: str) -> bool:
        """Return whether the functions can get this code of their module; `name` is the changed function."""
        codes = _codes_in(code)
        return any(key[0] == name.partition(".<locals>")[0] for key, _ in self._all) and all(
            key in codes and codes[key].co_freevars == function.__code__.co_freevars for key, function in self._all
        )

    def become(self, code: CodeType, *, reports_to: "_Watch | None" = None) -> None:
        """Give the live functions the code of this module."""
        self._space[WATCH] = reports_to
        codes = _codes_in(code)
        for key, function in self._all:
            function.__code__ = codes[key]

    def _is_one(self, each: object) -> TypeGuard[FunctionType]:
        if type(each) is not FunctionType:  # `isinstance` would evaluate lazy objects
            return False
        return each.__globals__ is self._space and each.__code__.co_filename == self.file


def _key(code: CodeType) -> Key:
    return code.co_qualname, code.co_firstlineno


def _codes_in(code: CodeType) -> dict[Key, CodeType]:
    return {_key(each): each for each in _with_inner(code)}


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_inner(constant)


class _Watch:
    """Records which functions of a module each test calls, and the seconds of the test."""

    def __init__(self, functions: _Functions) -> None:
        self._functions: dict[str, set[str]] = {}
        self._begins: list[float] = []
        self._reached: set[str] = set()
        functions.become(_reporting(functions.file), reports_to=self)

    def sees(self, function: str) -> None:
        """Record the call of a function."""
        self._reached.add(function)

    def test_begins(self, nodeid: str) -> None:
        self._reached = self._functions[nodeid] = set()
        self._begins.append(time.monotonic())

    def seen(self) -> dict[str, dict[str, Any]]:
        """Return for each test its seconds and the names of the called functions."""
        ends = [*self._begins[1:], time.monotonic()]
        return {
            nodeid: {"seconds": end - begin, "functions": sorted(functions)}
            for (nodeid, functions), begin, end in zip(self._functions.items(), self._begins, ends, strict=True)
        }


def _reporting(file: str) -> CodeType:
    """Return the code of a module whose functions report their calls to a watch."""
    tree = ast.parse(Path(file).read_text())
    _report(tree, "")
    return compile(tree, file, "exec")


def _report(parent: ast.AST, names: str) -> None:
    for node in ast.iter_child_nodes(parent):
        match node:
            case ast.ClassDef(name=name):
                _report(node, f"{names}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                _report(node, f"{names}{name}.<locals>.")
                report = ast.parse(f"{WATCH}.sees({names + name!r})").body[0]
                for part in ast.walk(report):
                    ast.copy_location(part, node.body[0])
                node.body.insert(0, report)
            case _:
                _report(node, names)
