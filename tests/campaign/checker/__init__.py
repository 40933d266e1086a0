"""The invariants of the campaign, as pure functions over the recorded history.

Each check takes the evidence and returns a verdict. Each module has a test file that plants (`planting`) the faults
which its checks must find.
"""

from collections.abc import Callable

from tests.campaign.checker.messages import (
    acknowledged_are_stored,
    one_message_per_client_id,
    only_what_was_sent_is_stored,
)
from tests.campaign.checker.order import everybody_sees_one_order, sequences_have_no_gaps
from tests.campaign.checker.receipts import positions_only_rise
from tests.campaign.checker.state import replay_equals_rows, synced_is_complete
from tests.campaign.checker.verdict import Verdict
from tests.campaign.checker.visibility import deleted_texts_are_gone, nobody_sees_too_much, revoked_are_silent
from tests.campaign.evidence import Evidence

CHECKS: tuple[Callable[[Evidence], Verdict], ...] = (
    acknowledged_are_stored,
    only_what_was_sent_is_stored,
    one_message_per_client_id,
    sequences_have_no_gaps,
    everybody_sees_one_order,
    synced_is_complete,
    nobody_sees_too_much,
    revoked_are_silent,
    replay_equals_rows,
    positions_only_rise,
)

__all__ = ["CHECKS", "Verdict", "check", "deleted_texts_are_gone"]

# `deleted_texts_are_gone` (I12) is asked once, at the end of a run: `final_checks`.


def check(evidence: Evidence) -> list[Verdict]:
    """Return the verdict of every check, in the order of the invariants."""
    return [look(evidence) for look in CHECKS]
