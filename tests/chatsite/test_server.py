"""What the server changes in its process before it serves."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.harness.product import PROJECT, manage

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


def test_a_taken_port_is_refused_before_an_address_is_printed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(RuntimeError) as failed:
            manage(["serve", "--port", port], {"DATA_DIR": str(tmp_path)})
    assert f"Nothing can be served at 127.0.0.1:{port} (Address already in use" in str(failed.value)
    assert "Chatsite at" not in str(failed.value)


def test_serving_with_the_settings_of_another_command_is_refused() -> None:
    with pytest.raises(CommandError, match="Start the server"):
        call_command("serve")
