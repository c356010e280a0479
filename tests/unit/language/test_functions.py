"""What the functions of the language give, and what they cost."""

import math
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from fairgate.domain.event import microseconds
from fairgate.language.functions import FUNCTIONS

MONDAY = microseconds(datetime(2026, 1, 5, 23, 30, tzinfo=UTC))
LAST = microseconds(datetime(9999, 12, 31, 23, 59, tzinfo=UTC))


def call(name: str, *arguments: object, constants: tuple[str, ...] = ()) -> object:
    return FUNCTIONS[name].make(*constants)(*arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("lower", ("ÀB",), "àb"),
        ("upper", ("àb",), "ÀB"),
        ("length", ("àb",), 2),
        ("contains", ("abc", "bc"), True),
        ("contains", ("abc", "cb"), False),
        ("contains", ("abc", ""), True),
        ("starts_with", ("abc", "ab"), True),
        ("ends_with", ("abc", "ab"), False),
        ("hour", (MONDAY,), 23),
        ("hour", (-1,), 23),
        ("weekday", (MONDAY,), 0),
        ("weekday", (-1,), 2),
        ("day", (MONDAY,), 20458),
        ("day", (-1,), -1),
        ("hour_in", (MONDAY, "Asia/Kathmandu"), 5),
        ("hour_in", (MONDAY, "UTC"), 23),
        ("abs", (-2.5,), 2.5),
        ("floor", (-2.5,), -3),
        ("floor", (math.inf,), math.inf),
        ("log", (math.e,), 1),
        ("min", (1, 2), 1),
        ("max", (1, 2), 2),
    ],
)
def test_a_function_gives(name: str, arguments: tuple[object, ...], result: object) -> None:
    assert call(name, *arguments) == result


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("log", (0,)),
        ("log", (-1,)),
        ("hour_in", (MONDAY, "Europe")),
        ("hour_in", (MONDAY, "../../etc/passwd")),
        ("hour_in", (MONDAY, "")),
        ("hour_in", (MONDAY, "no\0zone")),
        ("hour_in", (LAST, "Asia/Tokyo")),
    ],
)
def test_a_function_of_nonsense_is_missing(name: str, arguments: tuple[object, ...]) -> None:
    result = call(name, *arguments)
    assert isinstance(result, float)
    assert math.isnan(result)


@pytest.mark.parametrize(
    ("address", "inside"),
    [("10.1.2.3", True), ("11.1.2.3", False), ("2001:db8::5", True), ("2001:db9::5", False)],
)
def test_an_address_is_in_one_of_the_networks(address: str, inside: bool) -> None:
    assert call("cidr", address, constants=("10.0.0.0/8", "2001:db8::/32")) is inside


def test_every_function_has_all_that_the_reference_shows() -> None:
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert len(function.about) > 10
        assert set(function.parameters) | {function.result} <= {"text", "number", "bool", "time"}


PATTERNS = (r"(a+)+$", r"^(a|aa)+$", r"(a*)*b", r"(.*a){12}", r"(?i)\b[a-z]+[0-9]{2,}@", "é|東")


@given(st.sampled_from(PATTERNS), st.text("aAb1@é東\n ", max_size=300))
def test_a_pattern_is_found_where_a_search_finds_it(pattern: str, text: str) -> None:
    assert call("matches", text, constants=(pattern,)) is (re2.search(pattern, text) is not None)


def seconds(function: Callable[[str], object], text: str) -> float:
    """Median of several runs."""
    runs = []
    for _ in range(9):
        start = time.perf_counter()
        function(text)
        runs.append(time.perf_counter() - start)
    return statistics.median(runs)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_hostile_text_takes_linear_time(pattern: str) -> None:
    matches = FUNCTIONS["matches"].make(pattern)
    short, long = (f"{'a' * size}!" for size in (512, 8_192))
    matches(long)  # the automaton is built as it is needed
    # Sixteen times the text; a backtracking engine would need more than the age of the universe.
    assert seconds(matches, long) < 16 * 20 * seconds(matches, short) + 0.001


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(.)\1", "invalid escape sequence"),
        (r"a(?=b)", "invalid perl operator"),
        (r"(?<=a)b", "invalid perl operator|invalid named capture"),
        (r"(", r"missing \)"),
        (r"((a{100}){100}){100}", "invalid repetition size"),
        (r"(\pL{1,500}){2}", "too large|invalid repetition"),
    ],
)
def test_what_can_not_be_matched_in_linear_time_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FUNCTIONS["matches"].make(pattern)


def test_what_was_matched_is_remembered_only_where_it_is_short() -> None:
    matches = FUNCTIONS["matches"].make("x")
    assert [matches("x" * size) for size in (256, 257, 8_192)] == [True] * 3
    remembered = matches.__closure__
    assert remembered is not None
    caches = [cell.cell_contents for cell in remembered if hasattr(cell.cell_contents, "cache_info")]
    assert [cache.cache_info().currsize for cache in caches] == [1]
    assert caches[0].cache_info().maxsize * 256 * 4 <= 8 << 20
