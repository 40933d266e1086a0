"""Commands that are forked from a process with their libraries behave like new interpreters."""

import os
import signal
from pathlib import Path

import pytest

from tests.harness.preloaded import Forked, Management
from tests.harness.product import bare_environment
from tests.waiting import DEADLINE


def runs(code: str, folder: Path, **variables: str) -> Management:
    """Start `manage.py shell` with this code on an embedded site without a database."""
    environment = bare_environment() | {"CHATSITE_PROFILE": "embedded", "DATA_DIR": str(folder)} | variables
    program = Management(["shell", "--no-imports", "-c", code], log=folder / "log", environment=environment)
    program.start()
    return program


def test_a_forked_command_has_its_own_session_environment_and_log(tmp_path: Path) -> None:
    code = "import os; print(os.getsid(0) == os.getpid(), os.environ['MARK'], os.environ.get('PYTEST_CURRENT_TEST'))"
    program = runs(code, tmp_path, MARK="blue", PYTEST_CURRENT_TEST="")
    assert isinstance(program._process, Forked)
    assert program.wait(DEADLINE) == 0
    assert (tmp_path / "log").read_text() == "True blue \n"


def test_nothing_of_the_product_is_loaded_before_the_fork(tmp_path: Path) -> None:
    program = runs("import sys; print(sys.modules['chatsite.settings'].DATA_DIR)", tmp_path)
    assert program.wait(DEADLINE) == 0
    assert (tmp_path / "log").read_text() == f"{tmp_path}\n"


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_of_a_forked_command_is_known(tmp_path: Path, code: int) -> None:
    assert runs(f"raise SystemExit({code})", tmp_path).wait(DEADLINE) == code


def test_a_killed_command_has_ended_by_that_signal(tmp_path: Path) -> None:
    program = runs("import time; time.sleep(1_000)", tmp_path)
    program.kill()
    assert program.exit_code == -signal.SIGKILL
    assert not program.running


def test_a_variable_that_only_a_new_interpreter_reads_starts_one(tmp_path: Path) -> None:
    program = runs("import os; print(os.getppid())", tmp_path, PYTHONNODEBUGRANGES="1")
    assert program.wait(DEADLINE) == 0
    assert (tmp_path / "log").read_text() == f"{os.getpid()}\n"
