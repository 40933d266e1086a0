"""What the server changes in its process before it serves."""

import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from tests.harness.product import PROJECT

LOWERED = """
import resource
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
from chatsite.server.serving import allow_many_files
allow_many_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most))
"""


def test_the_limit_of_open_files_is_raised_to_the_maximum() -> None:
    done = subprocess.run([sys.executable, "-c", LOWERED], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_serving_with_the_settings_of_another_command_is_refused() -> None:
    with pytest.raises(CommandError, match="Start the server"):
        call_command("serve")
