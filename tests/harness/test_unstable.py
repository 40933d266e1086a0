"""Which tests of a report failed, by the ids under which they can be run again."""

from pathlib import Path

import pytest

from tests.unstable import failed_tests, main

REPORT = """<testsuites><testsuite><properties><property name="exit" value="{exit}" /></properties>
<testcase classname="tests.flows.test_blocking" name="test_passed" file="tests/flows/test_blocking.py" />
<testcase classname="tests.flows.test_blocking" name="test_failed[a b]" file="tests/flows/test_blocking.py">
<failure message="no">the traceback</failure><system-out>said</system-out></testcase>
<testcase classname="tests.harness.test_apns.TestIt" name="test_broke" file="tests/harness/test_apns.py">
<error message="no">at set-up</error></testcase>
<testcase classname="tests.harness.test_apns" name="test_skipped" file="tests/harness/test_apns.py">
<skipped message="no">why</skipped></testcase>
{more}</testsuite></testsuites>"""
ANOTHER = '<testcase classname="a.b" name="test_{}" file="a/b.py"><failure>no</failure></testcase>'


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report.xml"


def test_failures_and_errors_are_found_with_their_outputs(report: Path) -> None:
    report.write_text(REPORT.format(exit=1, more=""))
    assert failed_tests(report) == {
        "tests/flows/test_blocking.py::test_failed[a b]": "the traceback\nsaid",
        "tests/harness/test_apns.py::TestIt::test_broke": "at set-up",
    }


@pytest.mark.parametrize("text", ["", REPORT.format(exit=2, more="")], ids=["empty", "broken off"])
def test_a_run_that_did_not_end_has_no_unstable_tests(report: Path, text: str) -> None:
    report.write_text(text)
    assert failed_tests(report) == {}
    assert main(report) == 1


def test_more_than_five_failures_are_not_run_again(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.write_text(REPORT.format(exit=1, more="".join(ANOTHER.format(number) for number in range(4))))
    assert main(report) == 1
    assert "6 tests failed" in capsys.readouterr().out
