"""What a verdict counts and shows."""

from tests.campaign.checker.clean_run import clean_run
from tests.campaign.checker.planting import all_checks
from tests.campaign.checker.verdict import Verdict


def test_a_verdict_shows_the_first_of_many_and_counts_all() -> None:
    evidence = clean_run()
    evidence.integrity_faults += [f"fault {number}" for number in range(500)]
    (verdict,) = [verdict for verdict in all_checks(evidence) if verdict.wrong]
    assert verdict.wrong == 500
    assert len(verdict.shown) == 20
    assert verdict.shown[0] == "fault 0"
    checked = verdict.checked
    verdict.add(verdict)
    assert (verdict.wrong, verdict.checked) == (1000, 2 * checked)
    assert len(verdict.shown) == 20


def test_a_sum_shows_what_either_shows() -> None:
    one, other = Verdict("I1"), Verdict("I1")
    one.blame("lost")
    other.blame("found")
    one.add(other)
    assert one.shown == ["lost", "found"]
