"""A service in a small world."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from fairgate.simulate.service import Decide, Service
from tests.unit.simulate.worlds import world_of


@pytest.fixture
def world_service(tmp_path: Path) -> Callable[[Decide], Service]:
    """Makes a service that decides so, and tells nobody."""
    world = world_of(tmp_path).world
    return lambda decide: Service(world, Random(1), decide, lambda _: None)
