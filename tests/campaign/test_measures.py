"""Exceeded limits are reported, and a run that shows too little is invalid."""

import pytest

from tests.campaign.checker import Verdict
from tests.campaign.conductor import KINDS, Plan, Result
from tests.campaign.episode import Outcome
from tests.campaign.measures import Measures
from tests.campaign.report import as_markdown


def test_quantiles_and_limits() -> None:
    measures = Measures()
    measures.add("recovery", [float(number) for number in range(1, 101)], p95=95, p99=98, most=100)
    measure = measures.all["recovery"]
    assert (measure.quantile(0.5), measure.quantile(0.95), measure.quantile(1.0)) == (51, 96, 100)
    assert measures.violations() == ["recovery: p95 96 s, at most 95 s", "recovery: p99 100 s, at most 98 s"]
    measures.add("recovery", [101.0])
    assert len(measures.violations()) == 3


def test_a_measure_without_values_or_limits_violates_nothing() -> None:
    measures = Measures()
    measures.add("nothing", [], most=1)
    measures.add("free", [1e9])
    assert measures.violations() == []


def a_good_result() -> Result:
    result = Result(Plan(seed=1, messages=100, faults=len(KINDS) - 1))
    result.outcomes.append(Outcome([], 100, 300, 1.0, []))
    for kind in KINDS:
        result.book.struck(kind)
    result.verdicts["I1"] = Verdict("I1", checked=100)
    return result


def test_enough_of_everything_is_valid() -> None:
    result = a_good_result()
    assert result.is_enough
    assert result.invalid() == []
    assert "**no violation**" in as_markdown(result, "make campaign SEED=1")


def no_kill(result: Result) -> None:
    del result.book.strikes["kill -9 at before_ack"]


def too_few_messages(result: Result) -> None:
    result.outcomes[0].acknowledged = 99


def too_few_faults(result: Result) -> None:
    object.__setattr__(result.plan, "faults", len(KINDS) + 1)


def nothing_checked(result: Result) -> None:
    result.verdicts["I1"].checked = 0


@pytest.mark.parametrize("spoil", [no_kill, too_few_messages, too_few_faults, nothing_checked])
def test_a_run_that_shows_too_little_is_invalid(spoil) -> None:
    result = a_good_result()
    spoil(result)
    assert len(result.invalid()) == 1
    assert "**INVALID**" in as_markdown(result, "make campaign SEED=1")


def test_violations_are_in_the_report() -> None:
    result = a_good_result()
    result.verdicts["I1"].blame("it is lost")
    result.book.wrong.append("it did not settle")
    report = as_markdown(result, "make campaign SEED=1")
    assert "**2 VIOLATIONS**" in report
    assert "I1: it is lost" in report
    assert "it did not settle" in report
