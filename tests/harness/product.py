"""The product: its settings, and its management commands under given settings."""

import os
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from secrets import token_hex

from tests.harness.redis import Redis
from tests.waiting import DEADLINE

PROJECT = Path(__file__).resolve().parents[2]


def _settings_of_the_product() -> frozenset[str]:
    """Return the names of the environment variables that the product reads."""
    source = "".join(file.read_text() for file in (PROJECT / "chatsite").rglob("*.py"))
    read = re.findall(r"env(?:iron)?(?:\.\w+\(|\[)\s*\"([A-Z_]+)\"", source)
    return frozenset(read) | {"DJANGO_SETTINGS_MODULE"}


# None of them may leak from the developer's shell or `.env` into a test.
SETTINGS = _settings_of_the_product()


def bare_environment() -> dict[str, str]:
    """Return this process's environment without any setting of the product."""
    return {name: value for name, value in os.environ.items() if name not in SETTINGS}


def production_environment(database_url: str, redis: Redis) -> dict[str, str]:
    """Return the settings of the production profile on the given stores, and no others."""
    return {
        "CHATSITE_PROFILE": "production",
        "CHATSITE_TESTING": "1",
        "SECRET_KEY": token_hex(32),
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "ALLOWED_ORIGINS": "https://chat.example.org",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis.url(0),
        "CELERY_BROKER_URL": redis.url(1),
        "CHATSITE_LIMITS": "{}",
        "CHATSITE_CRASH_POINT": "",
        "DEBUG": "false",
        "PUSH_SWEEP_SECONDS": "10",  # an idle worker costs little; only pushes need quick sweeps, which set their own
        "PROCESS_ANSWER_SECONDS": "30",  # below `DEADLINE`: so long may pass until a dead process is replaced
        "DATA_DIR": str(redis.folder),
        "VAPID_PRIVATE_KEY": urlsafe_b64encode(os.urandom(32)).decode().rstrip("="),
    }


def manage(arguments: list[str], environment: dict[str, str], *, timeout: float = 5 * DEADLINE) -> str:
    """Run a management command under exactly these settings and return what it printed.

    :raises RuntimeError: it failed; the text is its output.
    """
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=bare_environment() | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def migrate(environment: dict[str, str]) -> None:
    """Bring the database of these settings to the newest schema."""
    manage(["migrate", "--verbosity", "0"], environment)
