"""System programs that the tests use, and their installation."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from playwright._impl._driver import compute_driver_executable


class Missing(Exception):
    """A program is not installed; the text says what to install."""


def postgresql(name: str = "postgres") -> Path:
    """Return the path of a PostgreSQL program; the newest installed version wins.

    :raises Missing: no PostgreSQL server is installed.
    """
    installed = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    versions = sorted(installed, key=lambda path: float(path.parts[-3]), reverse=True)
    for folder in versions:
        if (folder.parent / "initdb").exists():
            return folder
    if found := shutil.which(name):
        return Path(found).resolve()
    raise Missing("PostgreSQL's server (Debian: postgresql; elsewhere: have `postgres` and `initdb` in PATH)")


def redis() -> Path:
    """Return the path of the Redis server.

    :raises Missing: it is not installed.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise Missing("Redis (Debian: redis-server)")


def rabbitmq() -> Path:
    """Return the path of RabbitMQ's server itself, not of Debian's wrapper, which knows the machine's node only.

    :raises Missing: it is not installed.
    """
    packaged = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if packaged.exists():
        return packaged
    if found := shutil.which("rabbitmq-server"):
        return Path(found).resolve()
    raise Missing("RabbitMQ (Debian: rabbitmq-server)")


def epmd() -> Path:
    """Return the path of Erlang's name server, which comes with RabbitMQ.

    :raises Missing: it is not installed.
    """
    if found := shutil.which("epmd"):
        return Path(found)
    for packaged in Path("/usr/lib/erlang").glob("erts-*/bin/epmd"):
        return packaged
    raise Missing("Erlang's epmd (Debian: erlang-base)")


def chromium() -> Path:
    """Return the path of Chromium or Chrome; CHROMIUM in the environment overrides.

    :raises Missing: neither is installed.
    """
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    for name in names:
        if name and (found := shutil.which(name)):
            return Path(found)
    raise Missing("Chromium (Debian: chromium)")


def node() -> Path:
    """Return the path of Node: the one inside Playwright, which the tests require anyway, at a pinned version."""
    return Path(compute_driver_executable()[0])


def libfaketime() -> Path:
    """Return the path of the library that shows a program another time.

    :raises Missing: it is not installed.
    """
    for folder in ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib"):
        for found in Path(folder).glob("**/faketime/libfaketimeMT.so.1"):
            return found
    raise Missing("libfaketime (Debian: libfaketime)")


_NEEDED: dict[str, tuple[Callable[[], Path], str]] = {
    "postgresql": (postgresql, "postgresql"),
    "redis": (redis, "redis-server"),
    "rabbitmq": (rabbitmq, "rabbitmq-server"),
    "chromium": (chromium, "chromium"),
    "libfaketime": (libfaketime, "libfaketime"),
}


def prepare(names: Iterable[str] = ()) -> None:
    """Make sure that the named programs (default: all) are installed.

    As root on a system with apt-get they are installed without starting any service.

    :raises Missing: something is missing and cannot be installed from here.
    """
    packages, wanted = [], []
    for name in names or _NEEDED:
        find, package = _NEEDED[name]
        try:
            find()
        except Missing as missing:
            packages.append(package)
            wanted.append(str(missing))
    if not packages:
        return
    install(packages, " and ".join(wanted))
    for name in names or _NEEDED:
        _NEEDED[name][0]()


def install(packages: list[str], wanted: str) -> None:
    """Install packages of Debian, without starting any service.

    :param wanted: names of the programs, for the error message.
    :raises Missing: they cannot be installed from here.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"Please install {wanted}.")
    sys.stderr.write(f"Installing {', '.join(packages)} ...\n")
    _install(packages)


def _install(packages: list[str]) -> None:
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    cluster = Path("/etc/postgresql-common/createcluster.conf")
    if "postgresql" in packages and not cluster.exists():
        # Otherwise the package makes a cluster of its own, to be started at the next boot.
        cluster.parent.mkdir(parents=True, exist_ok=True)
        cluster.write_text("create_main_cluster = false\n")
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")  # installed services are not to be started
        policy.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        # The file above is a configuration file of the package: keep it instead of asking.
        install = ["install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"]
        for command in (["update"], [*install, *packages]):
            subprocess.run(["apt-get", "-qq", *command], check=True, env=environment, stdout=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        raise Missing(f"apt-get could not install {' '.join(packages)}.") from error
    finally:
        if ours:
            policy.unlink(missing_ok=True)
