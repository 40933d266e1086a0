"""Runs the unit tests of the web client's modules with Node; they need no browser."""

import subprocess
from pathlib import Path

from tests.harness import binaries

HERE = Path(__file__).parent


def test_the_web_client_modules_pass_under_node():
    files = sorted(str(file) for file in HERE.glob("*.test.mjs"))
    run = subprocess.run([binaries.node(), "--test", *files], capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
