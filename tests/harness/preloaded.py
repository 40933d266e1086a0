"""Processes of the product, forked from one that has imported their libraries.

A server spends most of the time of its start on importing libraries, and the suite starts some hundreds of servers and
workers. The forked process runs `manage.py` with its own environment, log and session, as a new
interpreter would. Before the fork nothing of the product and none of its settings is loaded.

    python -m tests.harness.preloaded FD     the process that forks; FD is its end of a pipe
"""

import gc
import importlib
import os
import runpy
import subprocess
import sys
import threading
import warnings
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.harness.processes import Child, Program
from tests.harness.product import PROJECT
from tests.waiting import DEADLINE

# Imports that take long and need no settings.
LIBRARIES = (
    "celery.app.amqp",
    "celery.schedules",
    "celery.worker",
    "channels.generic.websocket",
    "channels_redis.pubsub",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "csp.middleware",
    "django.contrib.postgres.fields",
    "django.core.mail",
    "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.test.signals",
    "h2.connection",
    "httpcore",
    "jsonschema",
    "jwt",
    "kombu.transport.pyamqp",
    "kombu.transport.redis",
    "msgspec",
    "psycopg_pool",
    "pygments.lexers",
    "requests",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_impl",
    "uvloop",
    "whitenoise.middleware",
)


class Management(Program):
    """A long-running `manage.py` command, such as `serve` or `work`, its output in a file."""

    def __init__(self, arguments: list[str], *, log: Path, environment: Mapping[str, str]) -> None:
        # Without a cache of compiled code every start would compile the whole project.
        environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
        super().__init__([sys.executable, "manage.py", *arguments], log=log, environment=environment, folder=PROJECT)

    def _launch(self) -> Child:
        assert self.environment is not None
        if not _can_be_forked(self.environment):
            return super()._launch()
        return Forked(_preloader.orders("fork", self.arguments[1:], self.environment, str(self.log)))

    def _awaits_reaping(self) -> bool:
        if isinstance(self._process, Forked):
            return bool(_preloader.orders("has_ended", self._process.pid))
        return super()._awaits_reaping()


class Forked:
    """A forked process. Its parent is the preloaded process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait for its end, free its process id, and return the exit code, negative for a signal."""
        if self.returncode is None:
            self.returncode = int(_preloader.orders("wait", self.pid))
        return self.returncode


class _Preloader:
    """The process that forks, started when it is first needed. It ends with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._connection: Connection | None = None

    def orders(self, verb: str, *parameters: Any) -> Any:
        """Give an order and return the answer."""
        with self._lock:
            if self._connection is None or self._owner != os.getpid():
                self._start()
            assert self._connection is not None
            self._connection.send((verb, *parameters))
            if not self._connection.poll(DEADLINE):
                raise TimeoutError(f"the preloaded process did not answer to {verb}")
            return self._connection.recv()

    def _start(self) -> None:
        self._owner = os.getpid()
        self._connection, end = Pipe()
        subprocess.Popen(
            [sys.executable, "-m", "tests.harness.preloaded", str(end.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[end.fileno()],
            start_new_session=True,
            cwd=PROJECT,
        )
        end.close()


_preloader = _Preloader()


def _can_be_forked(environment: Mapping[str, str]) -> bool:
    """Return whether a fork can replace a new interpreter: in tests, without coverage and other libraries preloaded."""
    if "PYTEST_VERSION" not in os.environ or "COVERAGE_PROCESS_CONFIG" in os.environ:
        return False
    return _read_at_start(environment) == _read_at_start(os.environ)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(("PYTHON", "LD_")) and name != "PYTHONDONTWRITEBYTECODE"
    }


def _take_orders(connection: Connection) -> list[str] | None:
    """Answer orders until the tests end (None); in a forked process, return what it has to run."""
    while True:
        try:
            verb, *parameters = connection.recv()
        except EOFError:
            return None
        match verb:
            case "fork":
                arguments, environment, log = parameters
                closed_by_child, held_by_child = os.pipe()
                if (pid := os.fork()) == 0:
                    connection.close()
                    os.setsid()
                    os.close(held_by_child)
                    os.close(closed_by_child)
                    _become(environment, log)
                    return list(arguments)
                os.close(held_by_child)
                os.read(closed_by_child, 1)  # until the child leads a process group, which signals are sent to
                os.close(closed_by_child)
                connection.send(pid)
            case "has_ended":
                flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
                connection.send(os.waitid(os.P_PID, parameters[0], flags) is not None)
            case "wait":
                connection.send(os.waitstatus_to_exitcode(os.waitpid(parameters[0], 0)[1]))


def _become(environment: Mapping[str, str], log: str) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)


def main(fd: int) -> None:
    """Import the libraries, and fork on order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LIBRARIES:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # otherwise a collection in a fork copies the memory of all that is loaded
    arguments = _take_orders(Connection(fd))
    if arguments is not None:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(int(sys.argv[1]))
