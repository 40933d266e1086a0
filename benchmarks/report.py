"""The table and the JSON of a run."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.result import Result
from tests.harness import binaries

# CPU share of everything else on the machine above which a figure says little.
NOISE = 0.15
FOLDER = Path(__file__).parent / "results"
_PACKAGES = ("Django", "uvicorn", "uvloop", "websockets", "channels", "channels-redis", "redis", "psycopg", "msgspec")


def as_table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table; CPU shares are of one core."""
    rows = [("workload", "figure", "first bar", "target", "median ms", "p99 ms", "CPU shares", "server RSS", "command")]
    rows += [_row(result) for result in results]
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table; the first one is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def details(results: Sequence[Result]) -> str:
    """Return every figure, one line per workload."""
    return "\n".join(
        f"{result.workload}: " + ", ".join(f"{name} {short(value)}" for name, value in result.figures.items())
        for result in results
    )


def write_json(results: Sequence[Result], file: Path | None = None) -> Path:
    """Write the results with versions and machine, to compare them later; return the file."""
    now = datetime.datetime.now(datetime.UTC)
    file = file or FOLDER / f"{now:%Y%m%dT%H%M%SZ}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "at": now.isoformat(timespec="seconds"),
        "revision": revision(),
        "machine": machine(),
        "versions": versions(),
        "results": {result.workload: {"command": command(result), **as_json(result)} for result in results},
    }
    file.write_text(json.dumps(content, indent=2) + "\n")
    return file


def as_json(result: Result) -> dict[str, object]:
    """Return a result as values for JSON."""
    return {
        "title": result.title,
        "figures": {name: round(value, 3) for name, value in result.figures.items()},
        "seconds": round(result.seconds, 3),
        "cpu_shares": {name: round(share, 3) for name, share in result.shares.items()},
        "server_rss_mib": result.server_rss_mib,
    }


def machine() -> dict[str, object]:
    """Return a description of the machine."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "load_1min": os.getloadavg()[0],
    }


def versions() -> dict[str, str]:
    """Return versions of Python, stores and libraries, by name."""
    found = {"Python": platform.python_version()}
    for name, program in (("PostgreSQL", binaries.postgresql()), ("Redis", binaries.redis())):
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        found[name] = re.search(r"\d+(\.\d+)+", said)[0]
    return found | {name: _version(name) for name in _PACKAGES}


def command(result: Result) -> str:
    """Return the command that measures this figure again."""
    workload, _, _part = result.workload.partition("_")
    return "make soak" if workload == "soak" else f'make bench ARGS="{workload}"'


def _row(result: Result) -> tuple[str, ...]:
    bar, value = result.bar, result.value
    sign = "≥" if bar.at_least else "≤"

    def judged(limit: float) -> str:
        return f"{sign} {short(limit)} {'yes' if bar.met(value, limit) else 'NO'}"

    shares = ", ".join(f"{name} {share:.0%}" for name, share in result.shares.items())
    return (
        result.title,
        f"{short(value)} {result.headline}{' (noisy)' if result.shares.get('strangers', 0) > NOISE else ''}",
        judged(bar.first),
        judged(bar.target),
        short(result.milliseconds(50)),
        short(result.milliseconds(99)),
        shares,
        "" if result.server_rss_mib is None else f"{result.server_rss_mib:.0f} MiB",
        command(result),
    )


def short(value: float | None) -> str:
    """Return a figure with its significant digits, "" for none."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def revision() -> str | None:
    """Return the commit of the working copy, with "-dirty" if there are uncommitted changes."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=FOLDER.parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None
