"""The command line.

python -m benchmarks [w1 ... w6 push large]  run workloads (default: all) and print a table
python -m benchmarks profile w2 [w3 ...]     run those of w1 to w4 under py-spy: where the server's time goes
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import profiles, report
from benchmarks.clients import Invalid
from benchmarks.installation import Installation
from benchmarks.result import Result
from benchmarks.runner import OURS, WORKLOADS, run_ours, run_workload, workload
from benchmarks.subject import Places
from benchmarks.usage import wait_until_quiet


def main(arguments: list[str]) -> int:
    """Run the workloads that the arguments name; return the exit code."""
    options = _parser().parse_args(arguments)
    profiling = options.what[:1] == ["profile"]
    names = options.what[profiling:] or [*WORKLOADS, *([] if profiling else OURS)]
    if unknown := set(names) - set(WORKLOADS) - (set() if profiling else set(OURS)):
        sys.stderr.write(f"unknown: {' '.join(sorted(unknown))}; there are {' '.join([*WORKLOADS, *OURS])}\n")
        return 2
    modules = {name: workload(name) for name in names}
    for module in modules.values():
        if profiling and hasattr(module, "MESSAGES_TO_PROFILE"):
            module.MESSAGES = module.MESSAGES_TO_PROFILE
    installation = Installation(options.server_url)
    results: list[Result] = []
    invalid = False
    try:
        installation.start()
        people = installation.populate(
            {name: modules[name].SIZES * options.repeat for name in names if name in WORKLOADS}
        )
        for name, module in modules.items():
            for turn in range(options.repeat):
                places = _turn(people.get(name, []), turn, of=options.repeat)
                wait_until_quiet(options.quiet_within)
                watched = profiles.recording(installation, module.__name__, wanted=profiling)
                try:
                    if name in OURS:
                        found = run_ours(installation, module)
                    else:
                        found = [run_workload(installation, module, places, watched=watched)]
                except Invalid as fault:
                    print(f"{name}: INVALID: {fault}", flush=True)
                    invalid = True
                else:
                    results += found
                    print(report.details(found), flush=True)
    finally:
        installation.stop()
    if results and not profiling:
        print("\n" + report.as_table(results))
        print(f"\nwritten to {report.write_json(results, options.output)}")
    return 1 if invalid else 0


def _turn(places: Places, turn: int, *, of: int) -> Places:
    """Return the conversations of one turn; every turn has its own."""
    size = len(places) // of
    return places[turn * size : (turn + 1) * size]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", nargs="*", help="workloads, or `profile` and workloads")
    parser.add_argument("--server-url", help="a running server, on the stores that the environment names")
    parser.add_argument("--repeat", type=int, default=1, help="how often to run each workload")
    parser.add_argument(
        "--quiet-within", type=float, default=0, metavar="SECONDS", help="wait so long for a quiet machine"
    )
    parser.add_argument("--output", type=Path, help="where to write the JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
