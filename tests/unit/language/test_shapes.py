from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec
import pytest
from msgspec import inspect

from fairgate.language.places import KEY
from fairgate.language.shapes import Misfit, misfits


class Kind(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Inner(msgspec.Struct):
    word: Literal["a", "b"]


class Outer(msgspec.Struct):
    name: str
    number: float = 0
    whole: int | None = None
    flag: bool = False
    when: datetime | None = None
    several: str | list[str] = []
    inner: dict[str, str | Inner] = {}
    words: dict[Literal["x", "y"], int] = {}
    any: list[dict[str, Any]] = []
    kinds: list[Kind] = []


def told(**given: object) -> list[tuple[object, ...]]:
    return [misfit[:2] for misfit in misfits({"name": "n", **given}, inspect.type_info(Outer))]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"number": 1, "whole": 2, "flag": True, "several": "x"},
        {"number": 1.5, "several": ["x", "y"], "when": datetime(2026, 1, 1, tzinfo=UTC)},
        {"inner": {"a": "text", "b": {"word": "a"}}, "words": {"x": 1}, "when": "2026-01-01T00:00:00Z"},
        {"any": [{"x": object()}]},
        {"kinds": ["small", "large"]},
    ],
)
def test_what_fits_converts(given: dict[str, object]) -> None:
    assert told(**given) == []
    msgspec.convert({"name": "n", **given}, Outer)


@pytest.mark.parametrize(
    ("given", "path", "what"),
    [
        ({"name": 5}, ("name",), "this is a number, where a text is needed"),
        ({"number": "5"}, ("number",), "this is a text, where a number is needed"),
        ({"number": True}, ("number",), "this is true or false, where a number is needed"),
        ({"whole": 1.5}, ("whole",), "this is a number, where a whole number is needed"),
        ({"whole": 2**60}, ("whole",), "this number is too large to be exact"),
        ({"flag": 1}, ("flag",), "this is a number, where true or false is needed"),
        ({"when": 5}, ("when",), "this is a number, where a time is needed"),
        ({"several": {}}, ("several",), "this is a table, where a text or an array is needed"),
        ({"several": ["a", 5]}, ("several", 1), "this is a number, where a text is needed"),
        ({"inner": {"a": 5}}, ("inner", "a"), "this is a number, where a text or a table is needed"),
        ({"inner": {"a": {"word": "c"}}}, ("inner", "a", "word"), "`c` is not one of the words for this"),
        ({"inner": {"a": {}}}, ("inner", "a"), "`word` is missing here"),
        ({"words": {"z": 1}}, ("words", "z", KEY), "`z` is not one of the words for this"),
        ({"any": [5]}, ("any", 0), "this is a number, where a table is needed"),
        ({"kinds": ["small", "larg"]}, ("kinds", 1), "`larg` is not one of the words for this"),
        ({"kinds": ["SMALL"]}, ("kinds", 0), "`SMALL` is not one of the words for this"),
        ({"kinds": [5]}, ("kinds", 0), "this is a number, where a text is needed"),
        ({"other": 1}, ("other", KEY), "there is no `other` here"),
        ({"name": datetime(2026, 1, 1, tzinfo=UTC)}, ("name",), "this is a time, where a text is needed"),
    ],
)
def test_what_does_not_fit_is_told_with_its_path(given: dict[str, object], path: tuple[object, ...], what: str) -> None:
    assert told(**given) == [(path, what)]


def test_every_misfit_is_told() -> None:
    found = list(misfits({"nam": "n", "number": "x", "flag": 2}, inspect.type_info(Outer)))
    assert [misfit.path for misfit in found] == [("nam", KEY), (), ("number",), ("flag",)]
    assert found[0] == Misfit(("nam", KEY), "there is no `nam` here", "did you mean `name`?")


def test_no_table_at_all() -> None:
    assert [misfit.what for misfit in misfits(5, inspect.type_info(Outer))] == [
        "this is a number, where a table is needed"
    ]
