"""The comparison table shows measured and missing figures and marks doubtful ones."""

from pathlib import Path

import pytest

from benchmarks.peers import table
from benchmarks.peers.contenders import CONTENDERS, Outcome, in_order
from benchmarks.result import Bar, Result

BARS = {
    "w1": ("received_p50_ms", Bar(2.8, 2.0, at_least=False)),
    "w2": ("messages_per_s", Bar(3_200, 8_000, at_least=True)),
}


def result(workload: str, value: float, *, generator: float = 0.1, strangers: float = 0.0) -> Result:
    headline, bar = BARS[workload]
    shares = {"generator": generator, "server": 0.5, "strangers": strangers}
    return Result(workload, "a title", headline, bar, {headline: value}, seconds=1.0, shares=shares)


def outcome(name: str, **results: list[Result]) -> Outcome:
    return Outcome(CONTENDERS[name], versions={"it": "1.0"}, results=results)


def cells(text: str) -> list[list[str]]:
    """Return the cells of a Markdown table; the header row is first."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [rows[0], *rows[2:]]


def test_a_figure_is_the_mean_of_its_runs_and_the_ratio_that_of_the_means() -> None:
    own = outcome("chatsite", w1=[result("w1", 1.0), result("w1", 2.0)], w2=[result("w2", 8_000)])
    peer = outcome("ejabberd", w1=[result("w1", 3.0)], w2=[result("w2", 2_000)])
    _, mine, theirs = cells(table.comparison([own, peer]))
    assert mine[:5] == ["Chatsite", "1.5 (1 to 2)", "", "8,000", ""]
    assert theirs[1:5] == ["3", "0.50", "2,000", "4.00"]
    assert theirs[-2:] == ["10% / 10% / - / -", "0% / 0% / - / -"]


def test_figures_limited_by_other_processes_are_marked() -> None:
    peer = outcome("ejabberd", w1=[result("w1", 3.0, strangers=0.5)], w2=[result("w2", 2_000, generator=0.95)])
    assert cells(table.comparison([peer]))[1][1:5] == ["3 noisy", "", "2,000 †", ""]


def test_a_noisy_run_counts_only_if_there_is_no_other() -> None:
    peer = outcome("ejabberd", w1=[result("w1", 3.0), result("w1", 9.0, strangers=0.5)])
    assert cells(table.comparison([peer]))[1][1:3] == ["3", ""]
    assert cells(table.comparison([peer]))[1][-1] == "0% / - / - / -"


def test_an_invalid_run_invalidates_its_figure_and_its_ratio() -> None:
    own = outcome("chatsite", w1=[result("w1", 1.0)])
    peer = outcome("ejabberd", w1=[result("w1", 3.0)])
    peer.invalid["w1"] = "one message was lost"
    text = table.section([own, peer], "make it", "2026-01-01")
    assert cells(table.comparison([own, peer]))[2][1:3] == ["INVALID", ""]
    assert "w1: invalid: one message was lost" in text
    assert "against ejabberd" not in text


def test_a_missing_server_is_in_the_table() -> None:
    peer = Outcome(CONTENDERS["synapse"], missing="Please install it.")
    assert cells(table.comparison([outcome("chatsite"), peer]))[2][:2] == [
        "Synapse, PostgreSQL",
        "missing: Please install it.",
    ]


@pytest.mark.parametrize(("mine", "met"), [(1.4, "yes"), (1.5, "NO")])
def test_targets_are_compared_with_the_reference(mine: float, met: str) -> None:
    own, peer = outcome("chatsite", w1=[result("w1", mine)]), outcome("ejabberd", w1=[result("w1", 2.0)])
    rows = cells(table.targets([own, peer]))
    assert rows[1:] == [
        ["W1 p50 ms", "≤ 2", f"{mine}", "yes"],
        ["W1 p50 ms, against ejabberd", "≤ 0.7", f"{mine / 2:.2f}", met],
    ]
    assert table.targets([peer]) == ""


def test_servers_measured_twice_are_first_and_last() -> None:
    names = [contender.name for contender in in_order(list(CONTENDERS.values()))]
    assert names[:2] == ["chatsite", "ejabberd"]
    assert names[-2:] == ["ejabberd", "chatsite"]
    assert len(names) == len(CONTENDERS) + 2


def test_only_the_marked_part_of_the_document_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write_section("new", document)
    table.write_section("newer", document)
    assert document.read_text() == f"before\n{table.BEGIN}\n\nnewer\n\n{table.END}\nafter\n"
    document.write_text("no marks")
    with pytest.raises(ValueError, match="lacks"):
        table.write_section("new", document)
