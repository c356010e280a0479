"""What every test shares: hypothesis profiles, the shared data sets, and no excuses in CI."""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import shared

IN_CI = os.environ.get("CI") == "true"

# No deadlines: the first example may wait for numba to compile. CI's examples stay random too, so that its runs add up;
# the printed blob repeats a failure anywhere.
settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=200, print_blob=True)
settings.load_profile("ci" if IN_CI else "quick")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data sets too large for the repository: $FAIRGATE_DATA, or shared/data beside the checkout."""
    folder = shared.shared_data()
    if folder is None:
        pytest.skip("no data sets in shared/data beside the checkout; set FAIRGATE_DATA to the folder that has them")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a test that skips because its server is missing has failed: nobody would notice the skip."""
    report = yield
    if IN_CI and report.skipped and item.get_closest_marker("server") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"CI must have its server, but the test skipped itself: {reason}"
    return report


def pytest_unconfigure() -> None:
    """Undo what the command line does to the collector, or DuckDB reports all that is frozen as leaked at the end."""
    gc.unfreeze()
