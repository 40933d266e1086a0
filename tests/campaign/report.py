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
    "I2": "nothing in the database that no client sent; a final refusal ⇒ not there",
    "I3": "one message per (sender, client_message_id); all its acks say the same",
    "I4": "the numbers of a log are 1..last; every snapshot is a prefix",
    "I5": "all devices see one order; a sender's messages keep theirs",
    "I6": "after `sync_complete` a device holds the log that it may see",
    "I8": "no frame or answer shows what the viewer may not see",
    "I9": "a revoked session's sockets are silent within 10 s, whatever fails; 1 s else: see above",
    "I10": "state before + events = state after",
    "I11": "receipts only rise, and are members' own",
    "I12": "a deleted text is in no table, key or log",
    "I17": "a cursor beyond the log, or of another epoch, is told to load anew",
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
        _table(("fault", "struck", "tried in vain"), _faults(result)),
        "## Recovery",
        _table(
            ("measured", "number", "median", "p95", "p99", "max", "limit", ""),
            [_row(measure) for measure in book.measures.all.values() if measure.values],
        ),
        "## Invariants",
        _table(
            ("", "holds always", "cases checked", "violations"),
            [
                (name, MEANINGS[name], f"{found.checked:,}", str(found.wrong))
                for name, found in sorted(result.verdicts.items(), key=lambda item: int(item[0][1:]))
            ],
        ),
        _ELSEWHERE,
        "## Numbers beside",
        _table(("", ""), [(name, f"{number:,}") for name, number in sorted(book.details.items())]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_INTRODUCTION = """People write over WebSocket and REST to several server processes while processes die, stores go
away and networks fail. Every device writes down what it said and heard. At the end of each episode a checker compares
these histories with each other and with the database. Every decision follows from the seed; how the processes
interleave does not. Faults, episodes and invariants are defined in `tests/campaign/`."""

_ELSEWHERE = """I7 (delivery in ordinary times, and without Redis), I14 (memory), I15 (others' 99th percentile) and I16
(a killed process starts again, and the product's own check of its rows finds nothing) are in the table above. I13 is
about push, which the product does not have yet. Of I17 only the questions are asked here, and that no crash of the
database passes for another epoch; `tests/flows` puts real backups back, under a running server, and looks at what
clients show when the log has grown past their cursors.

Not looked at for deleted texts (I12): PostgreSQL's write-ahead log and the free space of its pages."""


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
