"""A crash point ends the process at the named point, on the given pass, and nowhere else."""

import signal
import subprocess
import sys

import pytest

from tests.harness.product import PROJECT

SCRIPT = """
import sys
from django.conf import settings
settings.configure(CRASH_POINT=sys.argv[1])
from realtime.database.crash import crash_point
for number in range(1, 6):
    crash_point("elsewhere")
    print(number, flush=True)
    crash_point("after_lock")
"""


@pytest.mark.parametrize(
    ("setting", "reached", "ended"),
    [("after_lock", 1, -signal.SIGKILL), ("after_lock@3", 3, -signal.SIGKILL), ("after_lock@6", 5, 0), ("", 5, 0)],
)
def test_the_process_is_killed_on_the_given_pass(setting: str, reached: int, ended: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, setting], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.returncode) == ([str(number) for number in range(1, reached + 1)], ended)
