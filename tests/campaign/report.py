"""The report of a campaign, as Markdown: what ran where, what struck, what was checked, what was wrong."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from tests.campaign.conductor import Result
from tests.campaign.measures import Measure
from tests.harness import binaries
from tests.harness.product import PROJECT

FILE = PROJECT / "docs" / "campaign.md"
MEANINGS = {
    "I1": "acknowledged ⇒ in the database after any fault",
    "I2": "the database contains only what clients sent; a final refusal ⇒ not in it",
    "I3": "one message per (sender, client_message_id); all its acks agree",
    "I4": "the numbers of a log are 1..last; every snapshot is a prefix",
    "I5": "all devices see the same order; a sender's messages keep their order",
    "I6": "after `sync_complete` a device has the log that it may see",
    "I8": "no frame or answer shows what the viewer may not see",
    "I9": "a revoked session's sockets are silent within 10 s during any fault; within 1 s otherwise: see above",
    "I10": "state before + events = state after",
    "I11": "receipts only rise, and belong to members",
    "I12": "a deleted text is in no table, key or log",
    "I17": "a client with a cursor beyond the log, or of another epoch, must load again",
}


def as_markdown(result: Result, command: str) -> str:
    """Return the whole report."""
    plan, book = result.plan, result.book
    invalid, violations, missed = result.invalid(), result.violations(), book.measures.violations()
    verdict = "INVALID" if invalid else f"{len(violations)} VIOLATIONS" if violations else "no violation"
    parts = [
        "# The fault campaign",
        _INTRODUCTION,
        "## Result",
        f"**{verdict}**: {result.acknowledged:,} messages acknowledged, {result.strikes:,} faults struck, "
        f"{sum(outcome.heard for outcome in result.outcomes):,} events heard and checked, "
        f"{len(result.outcomes)} episodes, {result.seconds / 60:.0f} minutes; "
        + (f"{len(missed)} limits missed." if missed else "every limit kept."),
        _list("Invalid because", invalid),
        _list("Violations", violations),
        _list("Limits missed", missed),
        "## Run",
        _table(
            ("", ""),
            [
                ("command", f"`{command}`"),
                ("seed", str(plan.seed)),
                ("date", f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"),
                ("revision", _output("git", "describe", "--always", "--dirty")),
                ("machine", _machine()),
                ("versions", _versions()),
                (
                    "installation",
                    f"{plan.processes} server processes, one PostgreSQL, one Redis, {plan.networks} networks",
                ),
            ],
        ),
        "## Faults",
        _table(("fault", "struck", "tried without effect"), _faults(result)),
        "## Recovery",
        _table(
            ("measured", "number", "median", "p95", "p99", "max", "limit", ""),
            [_row(measure) for measure in book.measures.all.values() if measure.values],
        ),
        "## Invariants",
        _table(
            ("", "invariant", "cases checked", "violations"),
            [
                (name, MEANINGS[name], f"{found.checked:,}", str(found.wrong))
                for name, found in sorted(result.verdicts.items(), key=lambda item: int(item[0][1:]))
            ],
        ),
        _ELSEWHERE,
        "## Other numbers",
        _table(("", ""), [(name, f"{number:,}") for name, number in sorted(book.details.items())]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_INTRODUCTION = """People write over WebSocket and REST to several server processes while processes die, stores go
away and networks fail. Every device records what it sends and receives. At the end of each episode a checker compares
these histories with each other and with the database. The seed decides everything except how the processes interleave.
Faults, episodes and invariants are defined in `tests/campaign/`."""

_ELSEWHERE = """I7 (delivery in ordinary times, and without Redis), I14 (memory), I15 (others' 99th percentile) and I16
(a killed process starts again, and `check_integrity` finds nothing) are in the table above. I13 is about push, which is
not part of the campaign. Of I17 the campaign checks only the answers of the server, and that a crash of the database
does not begin a new epoch; `tests/flows` restores real backups under a running server, and checks what clients show
when the log has grown past their cursors.

Not searched for deleted texts (I12): PostgreSQL's write-ahead log and the free space of its pages."""


def _faults(result: Result) -> Iterable[tuple[str, str, str]]:
    book = result.book
    for kind in sorted(book.strikes.keys() | result.plan.kinds):
        yield kind, f"{book.strikes[kind]:,}", str(book.misses[kind] or "")
    yield "**all**", f"**{result.strikes:,}**", ""


def _row(measure: Measure) -> tuple[str, ...]:
    limits = [
        f"{name} ≤ {limit:g}"
        for name, limit in (("p95", measure.p95), ("p99", measure.p99), ("max", measure.most))
        if limit is not None
    ]
    kept = "" if not limits else "**missed**" if measure.violations() else "kept"
    figures = [f"{measure.quantile(share):.3g} {measure.unit}" for share in (0.5, 0.95, 0.99, 1.0)]
    return measure.name, f"{len(measure.values):,}", *figures, ", ".join(limits), kept


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _list(title: str, lines: list[str]) -> str:
    return f"{title}:\n\n" + "\n".join(f"- {line}" for line in lines[:60]) if lines else ""


def _versions() -> str:
    packages = ("Django", "uvicorn", "uvloop", "websockets", "channels-redis", "psycopg")
    return ", ".join(
        [
            f"Python {platform.python_version()}",
            f"PostgreSQL {_output(str(binaries.postgresql()), '--version').split()[2]}",
            f"Redis {_output(str(binaries.redis()), '--version').split()[2].removeprefix('v=')}",
            *(f"{package} {version(package)}" for package in packages),
        ]
    )


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    names = [line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return f"{os.cpu_count()} cores of {processor}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _cpu_lines() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []
