"""What all tests share: in CI a skip is a failure, because there every part is there."""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("TUNESMITH_TEST_STRICT"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and TUNESMITH_TEST_STRICT forbids it: {report.longrepr}"
    return report
