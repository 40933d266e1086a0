"""Installation of the peers: Debian packages, and Python environments of their own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.harness.binaries import Missing, install

FOLDER = Path(__file__).parent
CACHE = FOLDER / ".cache"  # not in git


def debian(packages: Sequence[str], services: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of packages, by name; install those that are missing.

    :param services: services of the packages, which are kept from starting at the next boot.
    :raises Missing: one is missing and cannot be installed.
    """
    if absent := [name for name in packages if _version(name) is None]:
        install(absent, " ".join(absent))
        for service in services:
            subprocess.run(["update-rc.d", service, "disable"], check=False, capture_output=True)
    return {name: _version(name) or "" for name in packages}


def python_environment(name: str) -> Path:
    """Return the interpreter of the environment with the packages of `requirements-NAME.txt`.

    :raises Missing: it could not be made.
    """
    requirements = FOLDER / f"requirements-{name}.txt"
    folder = CACHE / f"{name}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        sys.stderr.write(f"Installing what {requirements.name} lists ...\n")
        shutil.rmtree(folder, ignore_errors=True)
        for command in (
            [sys.executable, "-m", "venv", folder],
            [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-r", requirements],
        ):
            tried = subprocess.run(command, capture_output=True, text=True, check=False)
            if tried.returncode:
                raise Missing(f"{requirements.name} cannot be installed: {tried.stderr.strip()[-300:]}")
        done.touch()
    return python


def python_version(python: Path, package: str) -> str:
    """Return the version of a package in a Python environment."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _version(package: str) -> str | None:
    """Return the version of an installed Debian package, None if it is not installed."""
    if not shutil.which("dpkg-query"):
        return None
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", package], capture_output=True, text=True, check=False
    )
    status, _, version = asked.stdout.partition(" ")
    return version if status == "installed" else None
