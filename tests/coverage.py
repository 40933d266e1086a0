"""The coverage of the suite in lines and branches, with the servers: `make coverage`.

Prints the uncovered lines, file by file, and fails below the required percentage.
"""

import json
import subprocess
import sys

LINES, BRANCHES = 100.0, 95.0  # required percentages; pyproject.toml names the packages


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
