"""One trial: the chosen tests in a process of their own, with one changed module.

A trial is forked from a process that has loaded the libraries and started the services; for a quick trial it has also
loaded the product and the tests. So a trial costs little more than its tests. It ends at the first failed test.
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

# Libraries that load slowly and need no settings.
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
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # the plugins are already loaded
    *("-p", "no:unraisableexception"),  # its garbage collection is slow, and pyproject.toml ignores its warnings
)
SURVIVED, KILLED, TIMED_OUT = "survived", "killed", "timed out"
# A mutant times out when its tests take this many times longer than unchanged, and at least this many seconds.
TIMES, LEAST_SECONDS = 6, 30.0
# A failed trial that took this many seconds longer than its tests may have met a busy machine: it is repeated.
HINDERED_SECONDS = 5.0
# Two of pytest's exit codes: all tests passed; no test was found.
ALL_PASSED, NONE_FOUND = 0, 5


def source_of(module: str) -> Path:
    """Return the file of a module, without importing it."""
    return PROJECT / Path(*module.split(".")).with_suffix(".py")


class Bench:
    """The services and the database that the trials use in turn."""

    def __init__(self) -> None:
        for library in LIBRARIES:
            importlib.import_module(library)
        gc.freeze()  # all trials share these objects
        self._services = Prepared()
        self._services.start()
        self._log = self._services.redis.folder / "trial.log"
        self._notes = self._services.redis.folder / "notes.json"

    def stop(self) -> None:
        """End the services."""
        self._services.stop()

    def last_log(self) -> str:
        """Return the output of the last trial."""
        return self._log.read_text(errors="replace")

    def run(self, tests: Sequence[str], seconds: float, *, module: str = "", code: CodeType | None = None) -> str:
        """Run the tests with `module` made of `code`; return the outcome. `seconds` is their time without a change."""

        def forked() -> int:
            child = os.fork()
            if not child:
                if code is not None:
                    sys.meta_path.insert(0, _Changed(module, code))
                self._be_pytest(tests, CheapestFirst(self._notes))
            return child

        return self._judged(forked, seconds)

    def run_quickly(self, tests: Sequence[str], module: str, changes: Mapping[int, Mutant]) -> dict[int, str]:
        """Try all mutants that need no new import of the module; return the outcomes."""
        outcomes = self._services.redis.folder / "outcomes.json"
        outcomes.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            self._be_pytest(tests, QuickTrials(module, changes, self._judged, self._notes, outcomes))
        os.waitpid(child, 0)
        if not outcomes.exists():
            raise RuntimeError(f"the tests of {module} fail without any change:\n{self.last_log()[-5_000:]}")
        return {int(number): outcome for number, outcome in json.loads(outcomes.read_text()).items()}

    def _judged(self, forked: Callable[[], int], seconds: float) -> str:
        """Return the outcome of a trial, or of its repetition if it took far longer than the unchanged tests."""
        outcome = ""
        for _ in range(2):
            begun = time.monotonic()
            outcome = self._outcome(forked(), max(LEAST_SECONDS, TIMES * seconds))
            if outcome == SURVIVED or time.monotonic() - begun < seconds + HINDERED_SECONDS:
                break
        return outcome

    def _outcome(self, child: int, timeout: float) -> str:
        status = _wait(child, timeout)
        if status is None or os.WIFSIGNALED(status):
            self._services.forget()  # the trial may have left any rows behind
            return TIMED_OUT if status is None else KILLED
        exit_code = os.waitstatus_to_exitcode(status)
        assert exit_code != NONE_FOUND, self.last_log()
        return SURVIVED if exit_code == ALL_PASSED else KILLED

    def _be_pytest(self, tests: Sequence[str], plugin: QuickTrials | CheapestFirst) -> None:
        """Run the tests and end the process. For quick trials this is the process that forks them, and each fork."""
        os.setsid()
        with self._log.open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        exit_code = 3
        try:
            exit_code = int(pytest.main([*OPTIONS, *tests], plugins=[self._services, plugin]))
        except BaseException:  # noqa: BLE001 - the process ends here in any case
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(exit_code)  # without the exit handlers of the parent process


class Prepared(Services):
    """Running services with a migrated database, which the trials use directly.

    PostgreSQL does not flush to the disk: a crash may lose data, which does not matter here.
    """

    def __init__(self) -> None:
        super().__init__(PostgreSQL(settings="fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"))

    def start(self) -> None:
        """Start the services and create the database."""
        super().start()
        self._address = self.fresh_database()

    def forget(self) -> None:
        """Create the database again, because its content is unknown."""
        name = self._address.rsplit("/", 1)[1]
        self.postgresql.drop_database(name)
        self.postgresql.create_database(name, template=self.template)

    def environment(self) -> dict[str, str]:
        return production_environment(self._address, self.redis)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Register after pytest-django, to override its database fixture."""
        config.pluginmanager.register(DatabaseAsItIs())


class DatabaseAsItIs:
    """Prevents pytest-django from creating a test database."""

    @pytest.fixture(scope="session")
    @classmethod
    def django_db_setup(cls) -> None:
        pass


class _Changed:
    """An import hook that makes one module of changed code."""

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
        exec(self._code, module.__dict__)  # noqa: S102 - the changed code is compiled from the product


def _wait(child: int, timeout: float) -> int | None:
    """Return the status of a process that ends in time; else kill its process group and return None."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
