"""A disk that is full: PostgreSQL of its own on a small file system, which something else fills up."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from tests.campaign.stage import Stage
from tests.harness.postgresql import PostgreSQL
from tests.harness.processes import temporary_folder
from tests.harness.services import Services

SIZE_MIB = 384
SETTINGS = "max_wal_size = '64MB'\nmin_wal_size = '32MB'\nshared_buffers = '32MB'\n"


@asynccontextmanager
async def services_on_a_small_disk() -> AsyncIterator[Services]:
    """Start services whose PostgreSQL lives on a file system of 384 MiB; it takes the right to mount one.

    :raises PermissionError: this process may not mount.
    """
    folder = temporary_folder("small-disk", within="/tmp")  # noqa: S108 - PostgreSQL's account must get there
    folder.chmod(0o755)
    await asyncio.to_thread(_run, "mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0755", "tmpfs", str(folder))
    try:
        (folder / "postgresql").mkdir()
        services = Services(PostgreSQL(folder=folder / "postgresql", settings=SETTINGS))
        yield services
    finally:
        await asyncio.to_thread(_run, "umount", "-l", str(folder))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(done.stderr)


async def full_disk(stage: Stage) -> None:
    """Fill the disk to the last byte, wait until writes fail, and make room again."""
    postgresql = stage.world.services.postgresql
    ballast = postgresql.folder / "ballast"
    begun = monotonic()
    await asyncio.to_thread(_fill, ballast)
    until = monotonic() + 40
    while monotonic() < until and not _reported_full(postgresql):
        await asyncio.to_thread(_fill, ballast)  # what PostgreSQL gives back by recycling its log
        await asyncio.sleep(0.2)  # between two looks
    told = _reported_full(postgresql)
    await asyncio.sleep(3)  # longer than the statement time-out: what ran when the disk filled has ended
    acknowledged = stage.crowd.acknowledged
    await asyncio.sleep(2)  # the span in which acknowledgements are counted
    stage.book.details["disk full: acknowledged in two seconds of a full disk"] += (
        stage.crowd.acknowledged - acknowledged
    )
    ballast.unlink()
    if not postgresql.program.running or not await asyncio.to_thread(postgresql.accepts_within, 10):
        await asyncio.to_thread(postgresql.stop)
        await asyncio.to_thread(postgresql.start)
    room_at = monotonic()
    if told:
        stage.book.struck("disk full")
    else:
        stage.book.missed("disk full")
    stage.measures.add("disk full: room again until the first acknowledgement", [await stage.first_ack_after(room_at)])
    for code, number in stage.refusals(begun, monotonic()).items():
        stage.book.details[f"disk full: sends answered with {code}"] += number


def _fill(file: Path) -> None:
    block = b"\0" * 65536
    with file.open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(block)
        except OSError:
            os.fsync(ballast.fileno())


def _reported_full(postgresql: PostgreSQL) -> bool:
    return "No space left on device" in (postgresql.folder / "log").read_text(errors="replace")
