#!/usr/bin/env python
"""Entry to every command: `manage.py help` lists them."""

import os
import sys


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    if sys.argv[1:2] == ["serve"]:
        # Before the settings are read: they are others for a server than for a command.
        os.environ["CHATSITE_ROLE"] = "server"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
