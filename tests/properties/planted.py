"""Faults planted in a program: each by a name, to be found by whatever is tested."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

Real: TypeAlias = Callable[..., Any]
Plant: TypeAlias = Callable[[pytest.MonkeyPatch], None]


class Mutants(dict[str, Plant]):
    """Faults by name; used as a decorator it takes one in."""

    def __call__(self, plant: Plant) -> Plant:
        self[plant.__name__] = plant
        return plant


def instead(patch: pytest.MonkeyPatch, owner: type, name: str, of: Callable[[Real], Real]) -> None:
    """Replace a method by what is made of it."""
    patch.setattr(owner, name, of(getattr(owner, name)))
