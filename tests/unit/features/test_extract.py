import math
import struct
from types import SimpleNamespace

import pytest

from fairgate.domain.event import Event
from fairgate.features.extract import compile_extract
from fairgate.features.plan import plan_features
from fairgate.features.texts import Texts
from tests.properties.feature_cases import START, Machine, checked_pack, event

SALT = 11


def packed(feature: str, each: Event, clock: int, *, slowly: bool = False) -> tuple[list[int], list[str]]:
    """The request's words, as integers, and what failed."""
    checked = checked_pack((feature,))
    plan = plan_features(checked, SALT)
    buffer = memoryview(bytearray(8 * plan.program.request_words))
    functions = compile_extract(checked, each.type, plan, Texts(), {})
    failed = functions[slowly](each.data, each.time, clock, buffer, 0) or []
    return list(buffer.cast("q")), failed


def as_number(word: int) -> float:
    (number,) = struct.unpack("d", struct.pack("q", word))
    return float(number)


def test_a_request_is_type_clock_time_and_slots() -> None:
    words, _ = packed('total(x, on="use", by=a, over="1h")', event("use", 50, 40, a="u", x=2.5), 60)
    assert words[:3] == [0, 60, 40]
    assert 2.5 in map(as_number, words[3:])


def test_a_time_ahead_of_the_clock_is_the_clocks() -> None:
    ahead = event("use", 50, 70, a="u")
    words, _ = packed('last(time, on="use", by=a)', ahead, 60)
    assert words[:3] == [0, 60, 60]
    assert 60.0 in map(as_number, words[3:])


@pytest.mark.parametrize(("one", "other", "same"), [(5, 5.0, True), (0.0, -0.0, True), (1, 2, False), ("5", 5, False)])
def test_equal_values_have_equal_hashes(one: float | str, other: float | str, same: bool) -> None:
    def hashed(value: float | str) -> int:
        text = isinstance(value, str)
        feature = f'distinct({"s" if text else "x"}, on="use", by=a, over="1h")'
        given = event("use", 50, a="u", s=value) if text else event("use", 50, a="u", x=value)
        return packed(feature, given, 60)[0][3]

    assert (hashed(one) == hashed(other)) is same


def test_what_is_missing_is_0_or_nan() -> None:
    for value, missing in (("s", 0), ("x", 0), ("time", None)):
        words, _ = packed(f'distinct({value}, on="use", by=b, over="1h")', event("use", 50), 60)
        assert (words[3] == missing) is (missing is not None)
    words, _ = packed('total(x, on="use", by=b, over="1h")', event("use", 50), 60)
    assert sorted(math.isnan(as_number(word)) for word in words[3:]) == [False, True]


def test_times_before_1970_are_packed() -> None:
    words, _ = packed('count("use", by=a, over="1h")', event("use", -50, -70, a="u"), -50)
    assert words[:3] == [0, -50, -70]


def test_features_work_before_1970() -> None:
    machine = Machine(checked_pack(('count("use", by=a, over="1m")', 'distinct(s, on="use", by=a, over="1m")')))
    found = machine.run([event("use", time, a="u", s=str(time)) for time in (-90_000_000, -40_000_000, -10_000_000, 5)])
    assert found == [[0, 0], [1, 1], [2, 2], [3, 3]]  # the log's clock starts in 1970


def test_the_slow_function_packs_what_the_quick_one_packs() -> None:
    feature, each = (
        'mean(x / k, on="use", by=(a, b), over="1h", where=flag)',
        event("use", 5, a="u", b="v", x=3, k=2, flag=True),
    )
    assert packed(feature, each, 6) == packed(feature, each, 6, slowly=True)


def test_the_slow_function_leaves_out_only_what_fails() -> None:
    class Rude:
        def __mul__(self, _: object) -> float:
            raise OSError("I won't be multiplied")

    feature, each = 'total(x * 2 - 1, on="use", by=a, over="1h")', event("use", 5, a="u", x=Rude())
    with pytest.raises(OSError, match="multiplied"):
        packed(feature, each, 6)
    words, failed = packed(feature, each, 6, slowly=True)
    assert failed == ["OSError"]
    assert words[:3] == [0, 6, 5]
    assert sorted(math.isnan(as_number(word)) for word in words[3:]) == [False, True]


def test_the_slow_function_survives_an_attribute_that_fails() -> None:
    class Half(SimpleNamespace):
        @property
        def x(self) -> float:
            raise ValueError("not to be read")

    each = Event("test", "", "use", START, START, Half(a="u"))
    words, failed = packed('total(x, on="use", by=a, over="1h")', each, START, slowly=True)
    assert failed[0] == "ValueError"
    assert sorted(math.isnan(as_number(word)) for word in words[3:]) == [False, True]
