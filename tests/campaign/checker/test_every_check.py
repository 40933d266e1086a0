"""All checks at once: none blames a clean run, and each has faults that are planted for it."""

from collections.abc import Callable
from importlib import import_module

import pytest

from tests.campaign.checker import CHECKS, Verdict, deleted_texts_are_gone
from tests.campaign.checker.clean_run import clean_run
from tests.campaign.checker.planting import PLANTED, all_checks
from tests.campaign.evidence import Evidence


def test_a_clean_run_has_no_violations_and_every_check_looked_at_something() -> None:
    for verdict in all_checks(clean_run()):
        assert verdict.shown == []
        assert verdict.wrong == 0
        assert verdict.checked > 0, f"{verdict.invariant} looked at nothing"


def test_every_check_has_an_invariant_of_its_own() -> None:
    assert len(CHECKS) + 1 == len({verdict.invariant for verdict in all_checks(clean_run())})


@pytest.mark.parametrize("look", [*CHECKS, deleted_texts_are_gone])
def test_every_check_has_faults_planted_for_it_in_the_tests_of_its_module(look: Callable[[Evidence], Verdict]) -> None:
    package, name = look.__module__.rsplit(".", 1)
    tests = import_module(f"{package}.test_{name}")
    assert look(clean_run()).invariant in {invariant for invariant, _ in PLANTED[tests.__name__]}
