"""Where the server's time goes: py-spy's samples, folded by room and by function.

py-spy attaches to the running server from outside, so the server is what it always is. That needs
root, or `kernel.yama.ptrace_scope = 0`. A sample is taken of the thread that holds the interpreter lock:
what is shown is the CPU budget that all threads of a process share. Time in the kernel counts for the
Python function that called, unless that lets go of the lock (waiting for PostgreSQL does).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.installation import Installation
from tests.harness.processes import temporary_folder

RATE = 200  # samples per second

# The innermost frame that matches decides the room of a sample; the first match of the list counts.
ROOMS = (
    ("SQL: psycopg", ("/psycopg/", "/psycopg_pool/", "/psycopg_binary/")),
    ("SQL: Django's ORM and backend", ("/django/db/",)),
    ("Redis and channel layer", ("/redis/", "/channels_redis/", "/channels/layers")),
    ("ASGI: uvicorn and websockets", ("/uvicorn/", "/websockets/", "chatsite/server/serving", "chatsite/asgi")),
    ("JSON and bodies", ("realtime/wire/bodies",)),
    ("hub", ("realtime/fanout/hub", "realtime/wire/announcements")),
    ("outbox", ("realtime/fanout/sockets", "realtime/fanout/outbox", "realtime/fanout/catch_up_buffer")),
    ("door", ("realtime/fanout/door",)),
    (
        "consumer",
        (
            "realtime/socket/connection",
            "realtime/socket/consumer",
            "realtime/socket/handshake",
            "realtime/socket/rate",
            "realtime/registry",
        ),
    ),
    (
        "lanes and thread hops",
        ("realtime/database/lanes", "realtime/database/threads", "/concurrent/futures/", "/threading.py", "/asyncio/"),
    ),
    ("write path: messaging", ("messaging/",)),
    ("write path: conversations", ("conversations/",)),
    ("presence", ("presence/",)),
    ("accounts", ("accounts/",)),
    ("other Django", ("/django/",)),
)


@contextmanager
def recording(installation: Installation, name: str, *, wanted: bool) -> Iterator[None]:
    """Sample the server while the block runs, then print where its time went."""
    if not wanted:
        yield
        return
    program = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        raise SystemExit("profiling needs py-spy: .venv/bin/python -m pip install py-spy")
    assert installation.server_pid is not None, "only a server that was started here can be profiled"
    file = temporary_folder("profile") / "samples"
    begun = time.perf_counter()
    sampler = subprocess.Popen(
        [
            program, "record", "--pid", str(installation.server_pid), "--subprocesses", "--threads", "--gil",
            "--full-filenames", "--nonblocking", "--rate", str(RATE), "--duration", "100000",
            "--format", "raw", "--output", str(file),
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield
    finally:
        seconds = time.perf_counter() - begun
        sampler.send_signal(signal.SIGINT)
        _, complaints = sampler.communicate(timeout=30)
    if not file.exists():
        raise SystemExit(f"py-spy recorded nothing:\n{complaints}")
    print(f"\n== {name}\n{folded(file.read_text(), seconds)}\n", flush=True)


def folded(samples: str, seconds: float, most: int = 25) -> str:
    """Return shares by thread, by room and by function of samples in py-spy's raw format, taken in so many seconds."""
    threads: Counter[str] = Counter()
    rooms: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame for frame in stack.split(";") if frame]
        calls = [frame for frame in frames if not frame.startswith(("thread (", "process "))]
        if not calls:
            continue
        number = int(count)
        threads[next((frame for frame in frames if frame.startswith("thread (")), "?").rpartition(":")[2]] += number
        rooms[room_of(calls)] += number
        functions[_short(calls[-1])] += number
        for call in {_short(call) for call in calls}:
            inclusive[call] += number
    total = sum(rooms.values()) or 1
    parts = [
        ("thread", threads, 10),
        ("room", rooms, 20),
        ("function (itself)", functions, most),
        ("function (with callees)", inclusive, most),
    ]
    held = f"the interpreter lock was held in {total / seconds / RATE:.0%} of {seconds * RATE:.0f} samples\n"
    return held + "\n".join(
        f"-- by {title}\n" + "\n".join(f"{number / total:6.1%}  {name}" for name, number in counter.most_common(top))
        for title, counter, top in parts
    )


def room_of(calls: list[str]) -> str:
    """Return the room of a stack: that of the innermost frame which belongs to one."""
    for call in reversed(calls):
        for room, marks in ROOMS:
            if any(mark in call for mark in marks):
                return room
    return "event loop and rest"


def _short(call: str) -> str:
    """Return a frame without line number and with the last two parts of its path."""
    function, _, place = call.partition(" (")
    path = place.rstrip(")").rpartition(":")[0]
    return f"{function} ({'/'.join(Path(path).parts[-2:])})"
