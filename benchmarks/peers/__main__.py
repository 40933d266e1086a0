"""The command line.

python -m benchmarks.peers [chatsite ejabberd ...]      measure these servers (default: all) with all workloads

Prints one table with ratios. A run of all servers with all workloads also writes the measured part of
`docs/benchmarks.md`, if every figure is valid.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from benchmarks import report
from benchmarks.clients import Invalid
from benchmarks.peers import table
from benchmarks.peers.contenders import CONTENDERS, Outcome, in_order
from benchmarks.runner import WORKLOADS, run_workload, workload
from benchmarks.usage import wait_until_quiet
from tests.harness.binaries import Missing
from tests.harness.services import PROJECT, DidNotStart

DOCUMENT = PROJECT / "docs" / "benchmarks.md"


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
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
        _measure(outcomes[contender.name], options.workloads)
    found = list(outcomes.values())
    now = datetime.datetime.now(datetime.UTC)
    text = table.section(found, "make bench-peers", f"{now:%Y-%m-%d}")
    print(f"\n{text}\n\nwritten to {_write_json(found, now, options.output)}")
    valid = not any(outcome.invalid for outcome in found)
    if valid and set(options.workloads) == set(WORKLOADS) and len(found) == len(CONTENDERS):
        table.write_section(text, DOCUMENT)
        print(f"and to {DOCUMENT.relative_to(PROJECT)}")
    return 0 if valid else 1


def _measure(outcome: Outcome, names: list[str]) -> None:
    """Run the workloads on a server with stores of its own, and note what comes out."""
    contender = outcome.contender
    modules = {name: workload(name) for name in names if name not in contender.leaves_out}
    subject = contender.make()
    try:
        subject.start()
        people = subject.populate({name: module.SIZES for name, module in modules.items()})
        for name, module in modules.items():
            try:
                with _changed(module, contender.changes.get(name, {})):
                    result = run_workload(subject, module, people[name])
            except Invalid as fault:
                outcome.invalid[name] = str(fault)
                print(f"{contender.name}: {name}: INVALID: {fault}", flush=True)
            else:
                outcome.results.setdefault(name, []).append(result)
                print(f"{contender.name}: {report.details([result])}", flush=True)
    except DidNotStart as error:
        outcome.invalid |= dict.fromkeys(modules, f"did not start: {error}")
        print(f"{contender.name}: {error}", flush=True)
    finally:
        subject.stop()


@contextmanager
def _changed(module: ModuleType, values: Mapping[str, float]) -> Iterator[None]:
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
    parser.add_argument("--workloads", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument(
        "--quiet-within", type=float, default=0, metavar="SECONDS", help="wait so long for a quiet machine"
    )
    parser.add_argument("--output", type=Path, help="where to write the JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
