"""What all tests share: in CI a skip is a failure, except for want of data or engines that the project may not carry."""

import os
from collections.abc import Generator

import pytest

# How a skip begins for want of a file that stands beside the checkout where it stands at all.
FOREIGN_DATA = "foreign data: "
# How it begins for want of an engine that the project does not install: it wants a GPU's wheels, in an environment of its own.
FOREIGN_ENGINE = "foreign engine: "


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    forgiven = hasattr(report, "wasxfail") or any(want in str(report.longrepr) for want in (FOREIGN_DATA, FOREIGN_ENGINE))
    if report.skipped and not forgiven and os.environ.get("TUNESMITH_TEST_STRICT"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and TUNESMITH_TEST_STRICT forbids it: {report.longrepr}"
    return report
