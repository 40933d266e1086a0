"""The suite with its lines and branches measured, in the servers too: `make coverage`.

Prints what the core left out, file by file, and fails below the bar.
"""

import json
import subprocess
import sys

LINES, BRANCHES = 100.0, 95.0  # per cent of the packages that pyproject.toml names as the source


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments; return the exit code."""
    _coverage("erase")
    suite = _coverage("run", "-m", "pytest", *arguments)
    _coverage("combine", "--quiet")
    _coverage("report", "--skip-covered")
    totals = _totals()
    lines, branches = totals["percent_statements_covered"], totals["percent_branches_covered"]
    sys.stdout.write(
        f"\nlines    {lines:6.2f} % of {totals['num_statements']}, the bar is {LINES:g} %"
        f"\nbranches {branches:6.2f} % of {totals['num_branches']}, the bar is {BRANCHES:g} %\n"
    )
    return suite or int(lines < LINES or branches < BRANCHES)


def _coverage(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], check=False).returncode


def _totals() -> dict[str, float]:
    report = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"]
    done = subprocess.run(report, check=True, capture_output=True, text=True)
    totals: dict[str, float] = json.loads(done.stdout)["totals"]
    return totals


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
