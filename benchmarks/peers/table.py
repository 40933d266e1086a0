"""The comparison as Markdown: a summary for `docs/benchmarks.md`, and a full report for the history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.peers.contenders import CHATSITE, COMPARED, REFERENCE, Outcome
from benchmarks.report import NOISE, markdown, short
from benchmarks.result import Result

UNITS = {"w1": "W1 p50 ms", "w2": "W2 messages/s", "w3": "W3 deliveries/s", "w4": "W4 KiB/connection"}
FULL = 0.9  # share of a core at which the load generator is at its own limit
# Chatsite divided by ejabberd with its archive in PostgreSQL; the absolute targets are in the workloads.
RATIOS = {"w1": 0.7, "w2": 2.5, "w3": 2.0, "w4": 0.5}
BEGIN, END = "<!-- make bench-peers: begin -->", "<!-- make bench-peers: end -->"


def comparison(outcomes: Sequence[Outcome]) -> str:
    """Return the table: figures, ratios of Chatsite's figures to them, and CPU shares."""
    own = next((outcome for outcome in outcomes if outcome.contender.name == CHATSITE), None)
    heads = [cell for workload in COMPARED for cell in (UNITS[workload], "ratio")]
    rows = [("server", *heads, "generator's CPU, W1 to W4", "strangers' CPU, W1 to W4")]
    for outcome in outcomes:
        if outcome.missing:
            rows.append((outcome.contender.title, f"missing: {outcome.missing}", *[""] * (len(heads) + 1)))
            continue
        cells = [cell for workload in COMPARED for cell in (_figure(outcome, workload), _ratio(own, outcome, workload))]
        rows.append((outcome.contender.title, *cells, _shares(outcome, "generator"), _shares(outcome, "strangers")))
    return markdown(rows)


def targets(outcomes: Sequence[Outcome]) -> str:
    """Return each target with the reached value; "" unless both Chatsite and the reference were measured."""
    by_name = {outcome.contender.name: outcome for outcome in outcomes}
    own, reference = by_name.get(CHATSITE), by_name.get(REFERENCE)
    rows = [("target", "limit", "reached", "met")]
    for workload, limit in RATIOS.items():
        value = own.value(workload) if own else None
        if own is None or value is None:
            continue
        bar = own.results[workload][0].bar
        sign = "≥" if bar.at_least else "≤"
        rows.append((UNITS[workload], f"{sign} {short(bar.target)}", short(value), _met(bar.met(value, bar.target))))
        against = reference.value(workload) if reference else None
        if against:
            ratio = value / against
            title = f"{UNITS[workload]}, against ejabberd"
            rows.append((title, f"{sign} {limit:.3g}", f"{ratio:.2f}", _met(bar.met(ratio, limit))))
    return markdown(rows) if len(rows) > 1 else ""


def details(outcomes: Sequence[Outcome]) -> str:
    """Return every single run: figure, latencies, shares of one core."""
    rows = [("server", "workload", "figure", "median ms", "p99 ms", "CPU, of one core", "server RSS MiB")]
    rows += [
        (outcome.contender.title, *_detail(result))
        for outcome in outcomes
        for results in outcome.results.values()
        for result in results
    ]
    return markdown(rows)


def versions(outcomes: Sequence[Outcome]) -> str:
    """Return the versions, one line per server."""
    return "\n".join(
        f"* {outcome.contender.title}: " + ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
        for outcome in outcomes
        if outcome.versions
    )


def summary(outcomes: Sequence[Outcome], command: str, date: str, full: str) -> str:
    """Return the measured part of `docs/benchmarks.md`: comparison and targets, and a link to the page `full`."""
    head = f"{_head(command, date)} [Every run, and versions]({full})."
    return "\n\n".join(part for part in (head, comparison(outcomes), targets(outcomes)) if part)


def section(outcomes: Sequence[Outcome], command: str, date: str) -> str:
    """Return the full report."""
    faults = [
        f"* {outcome.contender.title}, {workload}: invalid: {fault}"
        for outcome in outcomes
        for workload, fault in outcome.invalid.items()
    ]
    return "\n\n".join(
        part
        for part in (
            _head(command, date),
            comparison(outcomes),
            "\n".join(faults),
            targets(outcomes),
            versions(outcomes),
            "<details><summary>Every run</summary>",
            details(outcomes),
            "</details>",
        )
        if part
    )


def write_section(text: str, document: Path) -> None:
    """Replace the measured part between its comments.

    :raises ValueError: the document does not have these comments.
    """
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document} lacks {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _head(command: str, date: str) -> str:
    machine = report.machine()
    return (
        f"{date}, `{command}`, Chatsite {report.revision()}. {machine['cpus']} cores of {machine['processor']}, "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']}."
    )


def _figure(outcome: Outcome, workload: str) -> str:
    if workload in outcome.invalid:
        return "INVALID"
    value = outcome.value(workload)
    if value is None:
        return ""
    results = [result.value for result in outcome.counted(workload)]
    spread = f" ({short(min(results))} to {short(max(results))})" if len(results) > 1 else ""
    limit = " †" if outcome.share(workload, "generator") > FULL else ""
    noisy = " noisy" if outcome.share(workload, "strangers") > NOISE else ""
    return f"{short(value)}{spread}{limit}{noisy}"


def _ratio(own: Outcome | None, outcome: Outcome, workload: str) -> str:
    mine, theirs = own.value(workload) if own else None, outcome.value(workload)
    return f"{mine / theirs:.2f}" if mine and theirs and outcome is not own else ""


def _shares(outcome: Outcome, name: str) -> str:
    return " / ".join(
        f"{outcome.share(workload, name):.0%}" if workload in outcome.results else "-" for workload in COMPARED
    )


def _detail(result: Result) -> tuple[str, ...]:
    return (
        result.title,
        f"{short(result.value)} {result.headline}",
        short(result.milliseconds(50)),
        short(result.milliseconds(99)),
        ", ".join(f"{name} {share:.0%}" for name, share in result.shares.items()),
        "" if result.server_rss_mib is None else f"{result.server_rss_mib:.0f}",
    )


def _met(met: bool) -> str:
    return "yes" if met else "NO"
