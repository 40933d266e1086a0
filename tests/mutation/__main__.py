"""Try every mutant of the chosen modules, and report the survivors.

python -m tests.mutation [THEME or MODULE ...]     try them, by default all; one process for each CPU
python -m tests.mutation --every 10 [...]          a sample: every tenth mutant
python -m tests.mutation --again [...]             only mutants that were not tried yet or not killed the last time
python -m tests.mutation report                    print the table of the last results again

The results are in tests/artifacts/mutation, one file per module and process.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.harness.product import PROJECT
from tests.mutation.mutants import mutants
from tests.mutation.quick import LONGEST_RUN
from tests.mutation.targets import THEMES
from tests.mutation.trial import KILLED, SURVIVED, TIMED_OUT, Bench, source_of

RESULTS = PROJECT / "tests" / "artifacts" / "mutation"
# (line before, line after) -> whether every mutant of the module with this change was killed.
Killed = Mapping[tuple[str, str], bool]


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args(arguments)
    if options.names != ["report"]:
        RESULTS.mkdir(parents=True, exist_ok=True)
        chosen = list(_chosen(options.names))
        killed = {module: _killed(module) if options.again else {} for module, _ in chosen}
        if not all(_in_parallel(chosen, killed, options.every, os.cpu_count() or 1)):
            return 1
    _report()
    return 0


def _chosen(names: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for theme, modules in THEMES.items():
        for module, tests in modules.items():
            if not names or theme in names or module in names:
                yield module, tests


def _killed(module: str) -> Killed:
    killed: dict[tuple[str, str], bool] = {}
    for each in _outcomes(module):
        key = (each["before"], each["after"])
        killed[key] = killed.get(key, True) and each["outcome"] == KILLED
    return killed


def _outcomes(module: str) -> Iterator[dict[str, Any]]:
    for file in RESULTS.glob(f"{module}.*-of-*.json"):
        yield from json.loads(file.read_text())


def _in_parallel(
    chosen: Sequence[tuple[str, tuple[str, ...]]], killed: Mapping[str, Killed], every: int, count: int
) -> list[bool]:
    """Share the mutants among `count` processes; return for each process whether it ended without an error."""
    children = []
    for share in range(count):
        child = os.fork()
        if not child:
            ended_well = False
            try:
                _try_all(chosen, killed, every, share, count)
                ended_well = True
            finally:
                os._exit(not ended_well)
        children.append(child)
    return [os.waitpid(child, 0)[1] == 0 for child in children]


def _try_all(
    chosen: Sequence[tuple[str, tuple[str, ...]]], killed: Mapping[str, Killed], every: int, share: int, count: int
) -> None:
    bench = Bench()
    try:
        for module, tests in chosen:
            _try_module(bench, module, tests, killed[module], every, share, count)
    finally:
        bench.stop()


def _try_module(
    bench: Bench, module: str, tests: Sequence[str], killed: Killed, every: int, share: int, count: int
) -> None:
    """Try this process's share of a module's mutants, without those already killed, and store the outcomes."""
    file = source_of(module)
    changes = {
        number: change
        for number, change in enumerate(mutants(file.read_text(), str(file)))
        if number % every == 0 and number // every % count == share
    }
    to_try = {number: each for number, each in changes.items() if not killed.get((each.before, each.after))}
    outcomes = bench.run_quickly(tests, module, to_try)
    found = []
    seconds = 0.0
    for number, change in changes.items():
        outcome = outcomes.get(number, KILLED)
        if number in to_try and number not in outcomes:
            seconds = seconds or _seconds(bench, tests)
            outcome = bench.run(tests, seconds, module=module, code=change.code)
        found.append({"line": change.line, "before": change.before, "after": change.after, "outcome": outcome})
        if outcome == SURVIVED:
            sys.stdout.write(f"{module}:{change.line}\n  - {change.before}\n  + {change.after}\n")
            sys.stdout.flush()
    for stale in RESULTS.glob(f"{module}.*-of-*.json"):
        if not stale.name.endswith(f"-of-{count}.json"):
            stale.unlink(missing_ok=True)
    (RESULTS / f"{module}.{share}-of-{count}.json").write_text(json.dumps(found, indent=1))


def _seconds(bench: Bench, tests: Sequence[str]) -> float:
    """Return the seconds that a slow trial of the unchanged code takes."""
    begun = time.monotonic()
    if bench.run(tests, LONGEST_RUN) != SURVIVED:
        raise RuntimeError(f"tests fail without any change:\n{bench.last_log()}")
    return time.monotonic() - begun


def _report() -> None:
    """Print a table of all results, with a row for each module and each theme."""
    sys.stdout.write("\n| module | mutants | killed | survived | timed out | noticed |\n|---|---|---|---|---|---|\n")
    everything: Counter[str] = Counter()
    for theme, modules in THEMES.items():
        of_theme: Counter[str] = Counter()
        for module in modules:
            outcomes = Counter(each["outcome"] for each in _outcomes(module))
            _row(module, outcomes)
            of_theme += outcomes
        _row(f"**{theme}**", of_theme)
        everything += of_theme
    _row("**all**", everything)


def _row(name: str, outcomes: Counter[str]) -> None:
    total = outcomes.total()
    if total:
        noticed = 100 * (total - outcomes[SURVIVED]) / total
        numbers = " | ".join(str(outcomes[outcome]) for outcome in (KILLED, SURVIVED, TIMED_OUT))
        sys.stdout.write(f"| {name} | {total} | {numbers} | {noticed:.1f} % |\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
