"""All rules of an event type as one function: what fires, what raises, which lists an event is in, and the words."""

import math
from typing import Any

import pytest

from fairgate.detect.lists import Lists
from fairgate.detect.rules import Detector, compile_detector, shown, shown_time, written
from fairgate.domain.windows import HOUR
from fairgate.ingest.decode import Decoder
from fairgate.language import functions
from tests.support import BREAKING_SEATS, HEAD, LISTS, NOW, breaking_log, checked, read, request

RULES = """
[[segment]]
name = "many"
when = "log(seats) > 2"

[[segment]]
name = "default"

[[rule]]
name = "plain"
on = "api.request"
when = 'model == "big"'

[[rule]]
name = "breaks"
on = "api.request"
when = "log(seats) > 2"

[[rule]]
name = "contrary"
on = "api.request"
when = "not breaks"

[[rule]]
name = "counted"
on = "api.request"
when = 'count("api.request", by=account, over="1h") > 2 or hour(time) < 3'
why = "{count} requests by {account} at {time}: {cost}, {model}"

[[rule]]
name = "tried"
on = "api.request"
when = "cost > 3"
mode = "canary 10%"
by = "account"
"""
TEXT = HEAD + LISTS + RULES
COUNT = 'count("api.request", by=account, over="1h")'


def detector(lists: Lists | None = None) -> Detector:
    pack = checked(TEXT)
    bindings = (lists or Lists(pack)).bindings()
    return compile_detector(pack, "api.request", {COUNT: 0}, lambda number: f"text {number:g}", bindings)


def event(account: str = "a", **data: object) -> Any:  # noqa: ANN401 - the struct of a pack's event type
    return read(Decoder(checked(TEXT), HOUR), request(1, account, **data)).data


def judged(data: object, *features: float, time: int = NOW) -> tuple[list[str], list[tuple[str, str]], int]:
    """Names of what fired and of what failed, and the segment."""
    found = detector()
    fired: list[int] = []
    failed: list[tuple[int, str]] = []
    segment = found.judge(data, time, NOW, features or (0.0,), fired, failed)
    names = [each.rule.name for each in found.rules]
    return [names[at] for at in fired], [(names[at] if at >= 0 else "segment", error) for at, error in failed], segment


def test_each_rule_fires_by_its_condition() -> None:
    assert judged(event(model="big", seats=9)) == (["plain", "breaks"], [], 0)
    assert judged(event(seats=1)) == (["contrary"], [], 1)
    assert judged(event(), 3.0) == (["counted"], [], 1)  # without seats, `breaks` is unknown, and so is its contrary
    assert judged(event(), time=NOW - 8 * HOUR) == (["counted"], [], 1)


def test_a_rule_that_raises_is_told_by_its_kind_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_log", breaking_log)
    fired, failed, segment = judged(event(model="big", seats=BREAKING_SEATS), 3.0)
    assert fired == ["plain", "counted"]  # what names the broken one is unknown
    assert failed == [("breaks", "ZeroDivisionError"), ("segment", "ZeroDivisionError")]
    assert segment == 1


def test_acting_lists_are_named_while_an_entry_stands() -> None:
    lists = Lists(checked(TEXT))
    lists.put("banned", "crook", NOW + 5)
    found = detector(lists)
    crook = event("crook")
    assert found.listed(crook, NOW) == ("banned",)
    assert found.listed(crook, NOW + 5) == ()
    assert found.listed(event("friend"), NOW) == ("friends",)
    assert found.listed(event(ip="192.0.2.66"), NOW) == ()  # tor acts on nothing by itself


def test_a_canary_is_drawn_on_its_entity() -> None:
    assert set(detector().entity_of) == {"plain", "breaks", "contrary", "counted", "tried"}
    assert detector().entity_of["tried"](event("someone")) == "someone"


def test_a_rules_words_have_the_events_values() -> None:
    why = detector().why
    assert list(why) == ["counted"]
    words = why["counted"](event("ab", cost=0.5, model="x\x1b[31m"), NOW, NOW, [4321.0])
    assert words == "4,321 requests by ab at 2026-01-05 10:31:12 UTC: 0.5, x\\x1b[31m"
    assert why["counted"](event(), NOW, NOW, [math.nan]).startswith("unknown requests by a")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (math.nan, "unknown"),
        (True, "yes"),
        (False, "no"),
        (1234567, "1,234,567"),
        (1234.0, "1,234"),
        (0.123456, "0.1235"),
        (-3.0, "-3"),
        (math.inf, "inf"),
        (1e300, "1e+300"),
        ("a\u202eb\n", "a\\u202eb\\n"),
        ("Ger\u00e4t", "Ger\u00e4t"),
    ],
)
def test_values_are_shown_as_people_read_them(value: object, words: str) -> None:
    assert shown(value) == words


def test_times_and_numbers_that_identify_are_written_plainly() -> None:
    assert shown_time(None) == "unknown"
    assert shown_time(NOW) == "2026-01-05 10:31:12 UTC"
    assert (written(64496), written(64496.0), written(0.5)) == ("64496", "64496", "0.5")
