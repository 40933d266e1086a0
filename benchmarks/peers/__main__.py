"""The command line.

python -m benchmarks.peers [chatsite ejabberd ...]      measure these servers (default: all) with all workloads

Prints one table with ratios. A run of all servers with all workloads also writes the measured part of
`docs/benchmarks.md`, and a page with every run to `benchmarks/history`. Missing servers and invalid
runs are in the table, with the reason.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import report
from benchmarks.clients import Invalid
from benchmarks.peers import table
from benchmarks.peers.contenders import BRIEF, CHATSITE, COMPARED, CONTENDERS, Contender, Outcome, in_order
from benchmarks.runner import run_workload, workload
from benchmarks.usage import wait_until_quiet
from tests.harness.binaries import Missing
from tests.harness.product import PROJECT

DOCUMENT = PROJECT / "docs" / "benchmarks.md"
HISTORY = PROJECT / "benchmarks" / "history"


def main(arguments: list[str]) -> int:
    """Measure the servers that the arguments name; return the exit code."""
    options = _parser().parse_args(arguments)
    chosen = [CONTENDERS[name] for name in CONTENDERS if name in (options.servers or CONTENDERS)]
    outcomes = {contender.name: Outcome(contender) for contender in chosen}
    for outcome in outcomes.values():
        try:
            outcome.versions = outcome.contender.versions()
        except Missing as missing:
            outcome.missing = str(missing)
            print(f"{outcome.contender.title}: missing: {missing}", flush=True)
    for contender in in_order([outcome.contender for outcome in outcomes.values() if not outcome.missing]):
        wait_until_quiet(options.quiet_within)
        _measure(outcomes[contender.name], options.workloads, brief=options.brief)
    found = list(outcomes.values())
    now = datetime.datetime.now(datetime.UTC)
    command = f'make bench-peers ARGS="{" ".join(arguments)}"' if arguments else "make bench-peers"
    date = f"{now:%Y-%m-%d}"
    text = table.section(found, command, date)
    print(f"\n{text}\n\nwritten to {_write_json(found, now, options.output)}")
    complete = set(options.workloads) == set(COMPARED) and len(found) == len(CONTENDERS) and not options.brief
    if options.write or (complete and not outcomes[CHATSITE].invalid):
        full = HISTORY / f"{date}-peers-{report.revision()}.md"
        full.write_text(f"# {date}, {report.revision()}: beside other servers\n\n{text}\n")
        table.write_section(table.summary(found, command, date, f"../{full.relative_to(PROJECT)}"), DOCUMENT)
        print(f"and to {DOCUMENT.relative_to(PROJECT)} and {full.relative_to(PROJECT)}")
    return 1 if any(outcome.invalid for outcome in found) else 0


def _measure(outcome: Outcome, names: list[str], *, brief: bool) -> None:
    """Run the workloads on a server with stores of its own, and record the results."""
    contender = outcome.contender
    modules = {name: workload(name) for name in names if name not in contender.leaves_out}
    subject = contender.make()
    with ExitStack() as stack:
        stack.callback(subject.stop)
        for name, module in modules.items():
            changes = {**contender.changes.get(name, {}), **(BRIEF[name] if brief else {})}
            stack.enter_context(_changed(module, changes))
        try:
            subject.start()
            people = subject.populate({name: module.SIZES for name, module in modules.items()})
        except Exception as error:  # noqa: BLE001 - a failure of one server must not stop the others
            outcome.invalid |= dict.fromkeys(modules, _told(contender, "start", error))
            return
        for name, module in modules.items():
            try:
                result = run_workload(subject, module, people[name])
            except Exception as error:  # noqa: BLE001
                outcome.invalid[name] = _told(contender, name, error)
            else:
                outcome.results.setdefault(name, []).append(result)
                print(f"{contender.name}: {report.details([result])}", flush=True)


def _told(contender: Contender, what: str, error: Exception) -> str:
    """Print an error, and return it in one line."""
    if not isinstance(error, Invalid):
        traceback.print_exception(error)
    line = f"{what}: {error or type(error).__name__}".splitlines()[0]
    print(f"{contender.name}: INVALID: {error}", flush=True)
    return line


@contextmanager
def _changed(module: ModuleType, values: Mapping[str, Any]) -> Iterator[None]:
    """Change constants of a workload for the block."""
    before = {name: getattr(module, name) for name in values}
    vars(module).update(values)
    try:
        yield
    finally:
        vars(module).update(before)


def _write_json(outcomes: list[Outcome], now: datetime.datetime, file: Path | None) -> Path:
    file = file or report.FOLDER / f"peers-{now:%Y%m%dT%H%M%SZ}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "at": now.isoformat(timespec="seconds"),
        "revision": report.revision(),
        "machine": report.machine(),
        "servers": {
            outcome.contender.name: {
                "title": outcome.contender.title,
                "versions": outcome.versions,
                "missing": outcome.missing,
                "invalid": outcome.invalid,
                "results": {
                    name: [report.as_json(result) for result in results] for name, results in outcome.results.items()
                },
            }
            for outcome in outcomes
        },
    }
    file.write_text(json.dumps(content, indent=2) + "\n")
    return file


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("servers", nargs="*", help=", ".join(CONTENDERS), choices=[[], *CONTENDERS], metavar="server")
    parser.add_argument("--workloads", nargs="+", choices=COMPARED, default=list(COMPARED))
    parser.add_argument("--brief", action="store_true", help="see that everything works; the figures mean nothing")
    parser.add_argument(
        "--quiet-within", type=float, default=0, metavar="SECONDS", help="wait so long for a quiet machine"
    )
    parser.add_argument("--write", action="store_true", help="write the documents even after a partial run")
    parser.add_argument("--output", type=Path, help="where to write the JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
