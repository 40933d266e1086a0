"""The embedded profile's secret key: made once, kept beside the database."""

import os
import secrets
import tempfile
from pathlib import Path


def kept_secret(data_dir: Path) -> str:
    """Return the key in `data_dir`/secret_key; make it (mode 0600) when there is none.

    Written aside and linked into place, so that neither a second process nor a crash finds half a key.
    """
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=data_dir)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            os.unlink(draft)
    return path.read_text().strip()
