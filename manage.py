#!/usr/bin/env python
"""Entry to every command: `manage.py help` lists them."""

import os
import sys

ROLE_OF_COMMAND = {"serve": "server", "work": "worker"}


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    role = ROLE_OF_COMMAND.get(" ".join(sys.argv[1:2]))
    if role is not None:
        # Before the settings are read: they are others for what runs on and on than for a command.
        os.environ["CHATSITE_ROLE"] = role
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
