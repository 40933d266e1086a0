"""Runs the unit tests of the web client's modules, which have no browser in them, with Node."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OLDEST_NODE = 18


def test_the_modules_of_the_web_client():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node on this machine: the browser tests cover the same modules as a whole")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node {version.strip()} has no test runner")
    files = sorted(str(file) for file in HERE.glob("*.test.mjs"))
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
