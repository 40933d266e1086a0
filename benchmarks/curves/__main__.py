"""The command line: `measure [AXIS ...] [--seconds 15]`, then `draw`; see the package."""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import sys

import uvloop

from benchmarks import report
from benchmarks.clients import Invalid
from benchmarks.curves.axes import AXES, Axis
from benchmarks.curves.measuring import measured
from benchmarks.installation import Installation
from benchmarks.usage import allow_many_files


def main(arguments: list[str]) -> int:
    """Measure or draw; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=__doc__)
    parser.add_argument("what", choices=["measure", "draw"])
    parser.add_argument("axes", nargs="*", default=list(AXES), help=f"of {', '.join(AXES)}; default: all")
    parser.add_argument("--seconds", type=float, default=15.0, help="of load at each point")
    options = parser.parse_args(arguments)
    if options.what == "draw":
        from benchmarks.curves.drawing import draw

        for file in draw():
            print(file)
        return 0
    allow_many_files(6_000)
    for name in options.axes:
        try:
            _measure(AXES[name], options.seconds)
        except Invalid as fault:
            print(f"{name}: INVALID: {fault}", flush=True)
            return 1
    return 0


def _measure(axis: Axis, seconds: float) -> None:
    """Measure every point of an axis on stores of its own, and write the results."""
    installation = Installation()
    found = []
    try:
        installation.start()
        for point in axis.points:
            sizes = {"talking": list(point.conversations), "idle": [2] * point.idle_pairs}
            people = installation.describes("benchmarks.population", json.dumps(sizes), str(point.beside))
            talking, idle = installation.as_places(people["talking"]), installation.as_places(people["idle"])
            installation.fresh_server(processes=point.processes)
            gc.collect()
            gc.freeze()
            figures = uvloop.run(measured(installation, point, talking, idle, seconds))
            installation.assert_clean_log()
            found.append(figures)
            print(
                f"{axis.name} {point.x}: {figures['messages_per_s']:,.0f} messages/s, "
                f"p99 {figures['last_member_p99_ms']:.1f} ms",
                flush=True,
            )
    finally:
        installation.stop()
    report.FOLDER.mkdir(parents=True, exist_ok=True)
    content = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "revision": report.revision(),
        "machine": report.machine(),
        "versions": report.versions(),
        "seconds": seconds,
        "points": found,
    }
    (report.FOLDER / f"curves-{axis.name}.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
