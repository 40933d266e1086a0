"""The table and the JSON of a run."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.result import Result

# CPU share of everything else on the machine above which a figure says little.
NOISE = 0.15
FOLDER = Path(__file__).parent / "results"
_PACKAGES = ("Django", "uvicorn", "uvloop", "websockets", "channels", "channels-redis", "redis", "psycopg", "msgspec")


def as_table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table; shares are of one core."""
    rows = [("workload", "figure", "first bar", "target", "median ms", "p99 ms", "CPU shares", "server RSS", "command")]
    rows += [_row(result) for result in results]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def details(results: Sequence[Result]) -> str:
    """Return every figure, one line per workload."""
    return "\n".join(
        f"{result.workload}: " + ", ".join(f"{name} {_short(value)}" for name, value in result.figures.items())
        for result in results
    )


def write_json(results: Sequence[Result], file: Path | None = None) -> Path:
    """Write the results with what is needed to compare them later; return the file."""
    now = datetime.datetime.now(datetime.UTC)
    file = file or FOLDER / f"{now:%Y%m%dT%H%M%SZ}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "at": now.isoformat(timespec="seconds"),
        "revision": _revision(),
        "machine": {"cpus": os.cpu_count(), "processor": _processor(), "load_1min": os.getloadavg()[0]},
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "results": {
            result.workload: {
                "title": result.title,
                "command": command(result),
                "figures": {name: round(value, 3) for name, value in result.figures.items()},
                "seconds": round(result.seconds, 3),
                "cpu_shares": {name: round(share, 3) for name, share in result.shares.items()},
                "server_rss_mib": result.server_rss_mib,
            }
            for result in results
        },
    }
    file.write_text(json.dumps(content, indent=2) + "\n")
    return file


def command(result: Result) -> str:
    """Return what repeats this figure."""
    return f'make bench ARGS="{result.workload}"'


def _row(result: Result) -> tuple[str, ...]:
    bar, value = result.bar, result.value
    sign = "≥" if bar.at_least else "≤"

    def judged(limit: float) -> str:
        return f"{sign} {_short(limit)} {'yes' if bar.met(value, limit) else 'NO'}"

    times = {name.rpartition("_p")[2]: value for name, value in reversed(result.figures.items()) if "_p" in name}
    shares = ", ".join(f"{name} {share:.0%}" for name, share in result.shares.items())
    return (
        result.title,
        f"{_short(value)} {result.headline}{' (noisy)' if result.shares.get('strangers', 0) > NOISE else ''}",
        judged(bar.first),
        judged(bar.target),
        _short(times.get("50_ms")),
        _short(times.get("99_ms")),
        shares,
        "" if result.server_rss_mib is None else f"{result.server_rss_mib:.0f} MiB",
        command(result),
    )


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _revision() -> str | None:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=FOLDER.parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None
