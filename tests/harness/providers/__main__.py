"""The process of one double.

python -m tests.harness.providers apns|fcm|web_push|smtp --folder FOLDER --port PORT [--port PORT]
"""

import argparse
from pathlib import Path

from tests.harness.providers.server import serve


def main() -> None:
    """Run the double named by the arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness.providers")
    parser.add_argument("name", choices=["apns", "fcm", "web_push", "smtp"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, action="append", required=True)
    arguments = parser.parse_args()
    match arguments.name:  # each imports what it needs: a double starts in a fraction of a second
        case "apns":
            from tests.harness.providers.apns_service import ApnsService

            serve(ApnsService, arguments.folder, arguments.port)
        case "fcm":
            from tests.harness.providers.fcm_service import FcmService

            serve(FcmService, arguments.folder, arguments.port)
        case "web_push":
            from tests.harness.providers.web_push_service import WebPushService

            serve(WebPushService, arguments.folder, arguments.port)
        case "smtp":
            from tests.harness.providers.smtp_service import serve_mail

            serve_mail(arguments.folder, arguments.port[0])


main()
