"""Checks that run twice: as tests, and against mutants, which at least one of them must notice."""

from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis.strategies import SearchStrategy

from tests.contracts.planting import Edit, planted

#: What a check says of a mutant: its own assertions, or an error that the mutant ran into.
NOTICED = (AssertionError, ArithmeticError, LookupError, ValueError)
_QUICK = settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)


class Check:
    """A function of values drawn from strategies; without strategies, of nothing."""

    def __init__(self, function: Callable[..., None], *strategies: SearchStrategy[Any]) -> None:
        self.name = function.__name__
        self._function = function
        self._strategies = strategies

    def __repr__(self) -> str:
        return self.name

    def run(self, how: settings | None = None) -> None:
        """Run it on drawn examples; AssertionError where one fails."""
        test = given(*self._strategies)(self._function) if self._strategies else self._function
        (how(test) if how and self._strategies else test)()


def is_noticed(mutant: Edit, checks: Iterable[Check]) -> bool:
    """Whether any check fails while the mutant is planted."""
    with planted(mutant):
        for check in checks:
            try:
                check.run(_QUICK)
            except NOTICED:
                return True
    return False
