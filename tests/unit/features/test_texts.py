import math

import pytest

from fairgate.features import texts
from fairgate.features.texts import Texts


def test_texts_have_numbers_in_the_order_they_are_met() -> None:
    known = Texts()
    assert [known.number(text) for text in ("b", "a", "b", "")] == [0.0, 1.0, 0.0, 2.0]
    assert [known.text(number) for number in (0.0, 1.0, 2.0)] == ["b", "a", ""]


def test_missing_stays_missing() -> None:
    known = Texts()
    assert math.isnan(known.number(None))
    assert known.text(math.nan) is None


def test_they_go_on_from_a_snapshot() -> None:
    known = Texts()
    known.number("a")
    again = Texts(known.all())
    assert (again.number("b"), again.number("a")) == (1.0, 0.0)


def test_there_is_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MOST_TEXTS", 2)
    known = Texts(["a", "b"])
    assert math.isnan(known.number("c"))
    assert (known.refused, known.number("b")) == (1, 1.0)
