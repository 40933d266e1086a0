"""One trial: the chosen tests in a process of their own, in which one module is changed.

A trial is forked off a process that has loaded the libraries and started the services, or even the product and the
tests (`quick`), so it costs little more than its tests. It ends at the first test that fails.
"""

import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from tests.harness.postgresql import PostgreSQL
from tests.harness.product import PROJECT, production_environment
from tests.harness.services import Services
from tests.mutation.mutants import Mutant
from tests.mutation.quick import CheapestFirst, QuickTrials

# Libraries that take long to load and need no settings.
LIBRARIES = (
    "_hypothesis_pytestplugin",
    "anyio.pytest_plugin",
    "celery.app.base",
    "channels.routing",
    "channels_redis.pubsub",
    "daphne.server",
    "django.contrib.admin",
    "django.contrib.postgres.fields",
    "django.test",
    "httpx",
    "hypothesis",
    "jsonschema",
    "pytest_asyncio.plugin",
    "pytest_django.plugin",
    "pytest_timeout",
    "schemathesis.pytest.plugin",
    "websockets.asyncio.client",
)
OPTIONS = (
    *("-x", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # its plugins were loaded before
    *("-p", "no:unraisableexception"),  # collects garbage for long, to say what pyproject.toml ignores
)
SURVIVED, KILLED, TIMED_OUT = "survived", "killed", "timed out"
# A change that makes its tests so many times slower, and slower than this, has made them hang.
TIMES, LEAST_SECONDS = 6, 30.0
# A trial that took so much longer than its tests was perhaps hindered by a busy machine, and is made again.
HINDERED_SECONDS = 5.0
# pytest's exit codes: all passed, some failed, and (the others) it could not even begin.
ALL_PASSED, NONE_FOUND = 0, 5


def source_of(module: str) -> Path:
    """Return the file of a module, without importing it."""
    return PROJECT / Path(*module.split(".")).with_suffix(".py")


class Bench:
    """Services and a database for one trial after the other."""

    def __init__(self) -> None:
        for library in LIBRARIES:
            importlib.import_module(library)
        gc.freeze()  # what every trial shares
        self._services = Prepared()
        self._services.start()
        self._log = self._services.redis.folder / "trial.log"
        self._notes = self._services.redis.folder / "notes.json"

    def stop(self) -> None:
        """End the services."""
        self._services.stop()

    def last_words(self) -> str:
        """Return what the last trial wrote."""
        return self._log.read_text(errors="replace")

    def run(self, tests: Sequence[str], seconds: float, *, module: str = "", code: CodeType | None = None) -> str:
        """Run the tests, which take so long unchanged, with `module` made of `code`; return the outcome."""

        def forked() -> int:
            child = os.fork()
            if not child:
                if code is not None:
                    sys.meta_path.insert(0, _Changed(module, code))
                self._be_pytest(tests, CheapestFirst(self._notes))
            return child

        return self._judged(forked, seconds)

    def run_quickly(self, tests: Sequence[str], module: str, changes: Mapping[int, Mutant]) -> dict[int, str]:
        """Try all changes of a module that can be tried without a new import; return the outcomes."""
        outcomes = self._services.redis.folder / "outcomes.json"
        outcomes.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            self._be_pytest(tests, QuickTrials(module, changes, self._judged, self._notes, outcomes))
        os.waitpid(child, 0)
        if not outcomes.exists():
            raise RuntimeError(f"the tests of {module} fail without any change:\n{self.last_words()[-5_000:]}")
        return {int(number): outcome for number, outcome in json.loads(outcomes.read_text()).items()}

    def _judged(self, forked: Callable[[], int], seconds: float) -> str:
        """Return the outcome of a trial, or of its repetition if it took far longer than the tests without a change."""
        outcome = ""
        for _ in range(2):
            begun = time.monotonic()
            outcome = self._outcome(forked(), max(LEAST_SECONDS, TIMES * seconds))
            if outcome == SURVIVED or time.monotonic() - begun < seconds + HINDERED_SECONDS:
                break
        return outcome

    def _outcome(self, child: int, patience: float) -> str:
        status = _wait(child, patience)
        if status is None or os.WIFSIGNALED(status):
            self._services.forget()  # it may have left anything behind
            return TIMED_OUT if status is None else KILLED
        exit_code = os.waitstatus_to_exitcode(status)
        assert exit_code != NONE_FOUND, self.last_words()
        return SURVIVED if exit_code == ALL_PASSED else KILLED

    def _be_pytest(self, tests: Sequence[str], plugin: QuickTrials | CheapestFirst) -> None:
        """Run the tests and end. Of quick trials this is both the process that makes them and each of them."""
        os.setsid()
        with self._log.open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        exit_code = 3
        try:
            exit_code = int(pytest.main([*OPTIONS, *tests], plugins=[self._services, plugin]))
        except BaseException:  # noqa: BLE001 - it ends here, whatever it was
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(exit_code)  # without the farewells of a process that was forked off another


class Prepared(Services):
    """Services that run already, and a migrated database that trials use as it is.

    What is written here may be lost in a crash: it is not written to the disk at once.
    """

    def __init__(self) -> None:
        super().__init__(PostgreSQL(settings="fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"))

    def start(self) -> None:
        """Start them, and make the database."""
        super().start()
        self._address = self.fresh_database()

    def forget(self) -> None:
        """Make the database anew, because it may hold anything."""
        name = self._address.rsplit("/", 1)[1]
        self.postgresql.drop_database(name)
        self.postgresql.create_database(name, template=self.template)

    def environment(self) -> dict[str, str]:
        return production_environment(self._address, self.redis)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Come after pytest-django, whose fixture for the database is not wanted."""
        config.pluginmanager.register(DatabaseAsItIs())


class DatabaseAsItIs:
    """Keeps pytest-django from making a database of its own."""

    @pytest.fixture(scope="session")
    @classmethod
    def django_db_setup(cls) -> None:
        pass


class _Changed:
    """Finds one module, made of changed code."""

    def __init__(self, module: str, code: CodeType) -> None:
        self._module = module
        self._code = code

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self._module:
            return None
        return spec_from_loader(name, self, origin=str(source_of(name)))  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(source_of(self._module))
        exec(self._code, module.__dict__)  # noqa: S102 - the point of it all


def _wait(child: int, patience: float) -> int | None:
    """Return the status of a process that ended in time; else end it and its group, and return None."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
