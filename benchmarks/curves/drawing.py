"""Plots of the results: messages/s, p99, and CPU by process."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.curves.axes import AXES
from benchmarks.report import FOLDER

IMAGES = Path(__file__).parents[2] / "docs" / "images"
# Makes equal files from equal numbers.
mpl.rcParams["svg.hashsalt"] = "chatsite"


def draw(folder: Path = FOLDER, images: Path = IMAGES) -> list[Path]:
    """Draw every curve that was measured; return the files."""
    made = []
    for axis in AXES.values():
        file = folder / f"curves-{axis.name}.json"
        if not file.exists():
            continue
        content = json.loads(file.read_text())
        points = content["points"]
        sizes = [point["x"] for point in points]
        figure = Figure(figsize=(9, 3), layout="constrained")
        rate, wait, cpu = figure.subplots(1, 3)
        rate.plot(sizes, [point["messages_per_s"] for point in points], "o-", label="messages/s")
        if any(point["deliveries_per_s"] != 2 * point["messages_per_s"] for point in points):
            rate.plot(sizes, [point["deliveries_per_s"] for point in points], "s--", label="deliveries/s")
            rate.set_yscale("log")
        wait.plot(sizes, [point["last_member_p99_ms"] for point in points], "o-", label="p99")
        wait.plot(sizes, [point["last_member_p50_ms"] for point in points], "s--", label="median")
        for name in ("server", "postgresql", "redis", "generator"):
            cpu.plot(sizes, [point["cpu_shares"].get(name, 0.0) for point in points], "o-", label=name)
        for plot, title in ((rate, "per second"), (wait, "ms to the last member"), (cpu, "cores used")):
            plot.set_title(title, fontsize=9)
            plot.set_xscale("log", base=2 if sizes[-1] <= 4 else 10)
            plot.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=7)
            plot.minorticks_off()
            if plot.get_yscale() == "linear":
                plot.set_ylim(0, 1.15 * plot.get_ylim()[1])
            plot.legend(fontsize=7)
            plot.grid(alpha=0.3)
        figure.suptitle(axis.title, fontsize=10)
        target = images / f"curve-{axis.name}.svg"
        images.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, metadata={"Date": None})
        made.append(target)
    return made
