"""Run the campaign: `python -m tests.campaign --seed 7`; `--minutes`, `--messages` and `--faults` bound it."""

from __future__ import annotations

import argparse
import resource
import secrets
import sys
from dataclasses import fields
from pathlib import Path

import uvloop

from tests.campaign import report
from tests.campaign.conductor import Conductor, Plan


def main(arguments: list[str]) -> int:
    """Run it, write the report; return 0 when it was valid and found nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    default = {each.name: each.default for each in fields(Plan)}
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is printed")
    parser.add_argument("--messages", type=int, default=default["messages"], help="acknowledged, at least")
    parser.add_argument("--faults", type=int, default=default["faults"], help="struck, at least")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which it ends, enough or not")
    parser.add_argument("--report", type=Path, default=report.FILE)
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    plan = Plan(seed=seed, messages=given.messages, faults=given.faults, most_seconds=given.minutes * 60)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 32_768)), hard))
    _say(f"seed {seed}")
    result = uvloop.run(Conductor(plan, say=_say).run())
    command = f"make campaign SEED={seed}" + "".join(
        f" {name.upper()}={getattr(given, name):g}"
        for name in ("messages", "faults", "minutes")
        if getattr(given, name) != parser.get_default(name)
    )
    given.report.write_text(report.as_markdown(result, command))
    for text in (*result.invalid(), *result.violations(), *result.book.measures.violations()):
        _say(text[:400])
    _say(f"{result.acknowledged:,} acknowledged, {result.strikes:,} faults; the report is {given.report}")
    return 1 if result.invalid() or result.violations() else 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
