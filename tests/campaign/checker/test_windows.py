"""Who was in which conversation, read from the log."""

from tests.campaign.checker.clean_run import GROUP, clean_run
from tests.campaign.checker.planting import cleo_is_added_again
from tests.campaign.checker.windows import FOREVER, Window, window_at, windows_of
from tests.campaign.evidence import EventRow


def test_memberships_are_read_from_the_log() -> None:
    evidence = clean_run()
    cleo_is_added_again(evidence)
    evidence.contents.events[GROUP] += [
        EventRow(15, "participant_updated", 15, user_id="dan"),
        EventRow(16, "participant_removed", 16, user_id="eve"),
        EventRow(17, "participant_updated", 17, user_id="ana"),
    ]
    windows = windows_of(evidence)
    assert windows[GROUP, "ana"] == [Window(1, FOREVER)]
    assert windows[GROUP, "cleo"] == [Window(5, 10), Window(13, FOREVER)]
    assert windows[GROUP, "dan"] == windows[GROUP, "eve"] == []
    inside = [sequence for sequence in range(1, 17) if window_at(windows, GROUP, "cleo", sequence)]
    assert inside == [5, 6, 7, 8, 9, 10, 13, 14, 15, 16]
    assert window_at(windows, GROUP, "nobody", 5) is None
    assert window_at(windows, GROUP, "ana", 10**9), "who stays, stays"
