#!/usr/bin/env python
"""The entry point of all commands; `manage.py help` lists them."""

import os
import sys

ROLE_OF_COMMAND = {"serve": "server", "work": "worker"}


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    role = ROLE_OF_COMMAND.get(" ".join(sys.argv[1:2]))
    if role is not None:
        # Must be set before the settings are read: they differ between long-running processes and commands.
        os.environ["CHATSITE_ROLE"] = role
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
