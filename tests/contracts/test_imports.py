"""The layers of apps and of packages inside them, as `pyproject.toml` declares them."""

import re
import subprocess
import sys
from pathlib import Path

from tests.harness.product import PROJECT

APPS = ("realtime", "accounts", "conversations", "messaging", "presence", "notifications", "chatsite")


def test_imports_go_down_only() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_door_and_readiness_call_group_send() -> None:
    callers = {path.relative_to(PROJECT).as_posix() for path in _sources() if "group_send" in path.read_text()}
    assert callers == {
        "realtime/fanout/door.py",
        "chatsite/health.py",
    }  # readiness sends to itself to check the channel layer


def test_selectors_write_nothing() -> None:
    selectors = [path for path in _sources() if "selectors" in path.relative_to(PROJECT).as_posix()]
    assert len(selectors) > 10
    writing = re.compile(r"\.(save|\w*create|bulk_update|delete)\(|\.(objects|filter\(.*\))\.update\(")
    assert [path for path in selectors if writing.search(path.read_text())] == []


def _sources() -> list[Path]:
    return [path for app in APPS for path in (PROJECT / app).rglob("*.py")]
