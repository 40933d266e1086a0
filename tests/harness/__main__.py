"""The harness from a shell.

python -m tests.harness prepare [postgresql redis rabbitmq chromium libfaketime]   install what is missing
python -m tests.harness run -- COMMAND ...                                         run it on private services
"""

import os
import signal
import subprocess
import sys
from types import FrameType

from tests.harness import binaries


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    match arguments:
        case ["prepare", *names]:
            try:
                binaries.prepare(names)
            except binaries.Missing as missing:
                sys.stderr.write(f"{missing}\n")
                return 1
            return 0
        case ["run", "--", *command] if command:
            return _run(command)
    sys.stderr.write(__doc__ or "")
    return 2


def _run(command: list[str]) -> int:
    from tests.harness.product import bare_environment, migrate
    from tests.harness.services import Services

    services = Services()
    services.start()
    try:
        environment = services.environment()
        migrate(environment)
        with subprocess.Popen(command, env=bare_environment() | environment) as child:

            def forward(number: int, _frame: FrameType | None) -> None:
                if number != signal.SIGINT:  # the terminal signalled the whole group already
                    child.send_signal(number)

            signal.signal(signal.SIGINT, forward)
            signal.signal(signal.SIGTERM, forward)
            return child.wait()
    finally:
        services.stop()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main(sys.argv[1:]))
