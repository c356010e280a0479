"""Server processes that end with their test, however that ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.doors import Process


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a server on the test's own folder; again, after it was ended. For the parameters see `Process`."""
    started: list[Process] = []

    def begin(**given: Any) -> Process:  # noqa: ANN401 - each has its own
        started.append(Process(tmp_path, **given))
        return started[-1]

    yield begin
    for each in started:
        each.signal(9)
