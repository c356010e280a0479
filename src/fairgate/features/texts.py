"""Texts that profiles remember, by number: a row holds numbers only."""

import math
from collections.abc import Iterable

#: Beyond so many different texts a new one is not remembered (it reads as missing): hostile input can't fill memory.
MOST_TEXTS = 1 << 20


class Texts:
    """Numbers for texts, in the order they were first met. Deterministic: the same log gives the same numbers."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._texts = list(known)
        self._numbers = {text: float(number) for number, text in enumerate(self._texts)}
        self.refused = 0

    def number(self, text: str | None) -> float:
        """The number of a text; NaN for missing."""
        if text is None:
            return math.nan
        number = self._numbers.get(text)
        if number is None:
            if len(self._texts) >= MOST_TEXTS:
                self.refused += 1
                return math.nan
            number = self._numbers[text] = float(len(self._texts))
            self._texts.append(text)
        return number

    def text(self, number: float) -> str | None:
        """The text of a number; None for NaN."""
        return None if math.isnan(number) else self._texts[int(number)]

    def clear(self) -> None:
        """Forget every text."""
        self._texts.clear()
        self._numbers.clear()
        self.refused = 0

    def all(self) -> list[str]:
        """Every text, by number, for a snapshot."""
        return list(self._texts)
