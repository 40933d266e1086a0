"""Secrets of the embedded profile: made once and kept beside the database."""

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from notifications.providers.vapid import new_vapid_private_key


def kept_secret(data_dir: Path) -> str:
    """Return the secret key in `data_dir`/secret_key; make it if there is none."""
    return _kept(data_dir, "secret_key", lambda: secrets.token_urlsafe(50))


def kept_vapid_key(data_dir: Path) -> str:
    """Return the private key for Web Push in `data_dir`/vapid_key; make it if there is none.

    Browsers know the server by it: with another key all would have to subscribe again.
    """
    return _kept(data_dir, "vapid_key", new_vapid_private_key)


def _kept(data_dir: Path, name: str, make: Callable[[], str]) -> str:
    """Return the text of a file with mode 0600; make it if there is none.

    It is written aside and linked into place, so that neither a second process nor a crash leaves half a key.
    """
    path = data_dir / name
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=data_dir)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            os.unlink(draft)
    return path.read_text().strip()
