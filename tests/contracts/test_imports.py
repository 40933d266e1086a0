"""The staircase of apps and the rooms inside them, as `pyproject.toml` states them."""

import subprocess
import sys
from pathlib import Path

from tests.harness.product import PROJECT

APPS = ("realtime", "accounts", "conversations", "messaging", "presence", "notifications", "chatsite")


def test_imports_go_down_only() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_group_send_stands_at_the_door() -> None:
    places = {path.relative_to(PROJECT).as_posix() for path in _sources() if "group_send" in path.read_text()}
    assert places == {
        "realtime/fanout/door.py",
        "chatsite/health.py",
    }  # readiness rings the bell to see whether it works


def _sources() -> list[Path]:
    return [path for app in APPS for path in (PROJECT / app).rglob("*.py")]
