"""The tests that rules carry: what they can say, what they find, and how their own faults are told."""

from pathlib import Path

import pytest

from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.pack_file import load_pack, pack_from_texts
from fairgate.language.problems import Problem, render
from fairgate.pipeline.rule_tests import run_rule_tests

SHIPPED = Path(__file__).parents[3] / "src" / "fairgate" / "packs" / "ai_api"
PACK = """
[pack]
name = "tests"
version = "1"
[event.seen.attributes]
account = { entity = "account", required = true }
ip = { type = "ip", entity = "ip" }
n = "number"
at = "time"
[event.label]
label_of = "seen"
attributes = { of = { required = true }, bad = "bool", account = { entity = "account" } }
[[segment]]
name = "default"
[[rule]]
name = "tested"
"""
OFTEN = 'count("seen", by=account, over="1h") >= 3'


def problems(when: str, *tests: str, on: str = "seen") -> list[Problem | None]:
    """What each of these tests finds of a rule with this condition."""
    text = f"{PACK}on = '{on}'\nwhen = '''{when}'''\ntests = [\n" + "\n".join(f"{test}," for test in tests) + "\n]\n"
    return [each.problem for each in run_rule_tests(check_pack(pack_from_texts({"pack.toml": text}), TYPES))]


def told(when: str, test: str) -> str:
    """What is said of one test, which is on the line after `tests = [`."""
    (problem,) = problems(when, test)
    assert problem is not None
    assert problem.place.line == PACK.count("\n") + 4
    return f"{problem.what}; {problem.hint}"


@pytest.mark.parametrize(
    ("when", "test"),
    [
        (OFTEN, '{ fires = true, events = [{ account = "a", repeat = 3 }] }'),
        (OFTEN, '{ fires = false, events = [{ account = "a", repeat = 2 }] }'),
        (OFTEN, '{ fires = false, events = [{ account = "a{n}", repeat = 9 }] }'),
        (OFTEN, '{ fires = false, events = [{ account = "a", repeat = 9, after = "31m" }] }'),
        (OFTEN, '{ fires = true, events = [{ account = "a", repeat = 9, after = "25m" }] }'),
        (OFTEN, '{ fires = true, events = [{ account = "a", repeat = 2 }, { account = "b" }, { account = "a" }] }'),
        ("hour(time) == 10 and weekday(time) == 0", '{ fires = true, events = [{ account = "a" }] }'),
        ("hour(time) == 12", '{ fires = true, events = [{ account = "a", after = "2h" }] }'),
        ("time - at == 5", '{ fires = true, events = [{ account = "a", at = 2026-01-05T09:59:55Z }] }'),
        ("time - at == 5", '{ fires = true, events = [{ account = "a", at = "2026-01-05T10:59:55+01:00" }] }'),
        ("since('seen', by=account) == 1", '{ fires = true, events = [{ account = "a", repeat = 2 }] }'),
        ('account == "a12"', '{ fires = true, events = [{ account = "a{n}", repeat = 12 }] }'),
        ("n > 5", '{ fires = false, events = [{ account = "a" }] }'),
    ],
)
def test_a_test_passes(when: str, test: str) -> None:
    assert problems(when, test) == [None]


def test_events_of_several_types() -> None:
    events = '[{ type = "seen", account = "a" }, { of = "x", bad = true, account = "a" }]'
    when = 'count("label", by=account, over="7d", where=bad) == 1'
    assert problems(when, f"{{ fires = true, events = {events} }}", on="label") == [None]


def test_tests_do_not_touch_each_other() -> None:
    twice = '{ fires = false, events = [{ account = "a", repeat = 2 }] }'
    assert problems(OFTEN, twice, twice, twice) == [None] * 3


@pytest.mark.parametrize(
    ("events", "what"),
    [
        ('[{ account = "a" }]', f"`tested` should fire on the last of 1 event, and does not; {OFTEN[:-5]} was 1"),
        (
            '[{ account = "a", repeat = 3 }, { account = "b" }]',
            f"`tested` should fire on the last of 4 events, and does not; {OFTEN[:-5]} was 1",
        ),
    ],
)
def test_a_rule_that_does_not_fire_is_told(events: str, what: str) -> None:
    assert told(OFTEN, f"{{ fires = true, events = {events} }}") == what


def test_a_rule_that_fires_before_the_last_event_is_told() -> None:
    said = told(OFTEN, '{ fires = false, events = [{ account = "a", repeat = 4 }, { account = "b" }] }')
    assert said == f"`tested` should not fire, and does on event 3 of 5; {OFTEN[:-5]} was 3"


def test_values_are_told_as_people_write_them() -> None:
    when = 'last(ip, by=account) == "x" or first(at, by=account) == time or is_new(ip, by=account) == (n > 5)'
    event = 'account = "a", ip = "192.0.2.1", at = 2026-01-05T09:00:00Z'
    said = told(when, f"{{ fires = true, events = [{{ {event} }}, {{ {event} }}] }}")
    assert "last(ip, on=\"seen\", by=account) was '192.0.2.1'" in said
    assert 'first(at, on="seen", by=account) was 2026-01-05 09:00:00 UTC' in said
    assert 'is_new(ip, on="seen", by=account) was no' in said
    assert 'last(ip, on="seen", by=account) was missing' in told(when, f"{{ fires = true, events = [{{ {event} }}] }}")


@pytest.mark.parametrize(
    ("events", "what"),
    [
        ("[]", "this test has no events; "),
        ('[{ acount = "a" }]', "seen has no attribute `acount`; did you mean `account`?"),
        ("[{ account = 5 }]", "account: this is a number, where a text is needed; "),
        ("[{ n = 5 }]", "`account` is missing here; "),
        ('[{ account = "a", n = nan }]', "this seen is refused: n is not a finite number within 2**53; "),
        ('[{ account = "a", ip = "x" }]', "this seen is refused: ip is no IP address; "),
        ('[{ account = "" }]', "this seen is refused: account is empty; "),
        ('[{ account = "a", at = "soon" }]', "this is no seen: Invalid RFC3339 encoded datetime - at `$.at`; "),
        ('[{ account = "a", type = "sean" }]', "there is no event type `sean`; did you mean `seen`?"),
        ('[{ account = "a", type = 5 }]', "there is no event type `5`; known: label, seen"),
        ('[{ account = "a", after = "soon" }]', '`soon` in `after` is no duration; write "90s", "15m", "24h" or "7d"'),
        ('[{ account = "a", after = 5 }]', '`5` in `after` is no duration; write "90s", "15m", "24h" or "7d"'),
        ('[{ account = "a", repeat = 0 }]', "`repeat` is a whole number from 1 to 10,000; "),
        ('[{ account = "a", repeat = true }]', "`repeat` is a whole number from 1 to 10,000; "),
        ('[{ account = "a", repeat = 9999 }, { account = "a", repeat = 2 }]', "a test has at most 10,000 events; "),
    ],
)
def test_a_test_that_can_not_be_run_is_told(events: str, what: str) -> None:
    assert told("n > 5", f"{{ fires = false, events = {events} }}").startswith(what)


def test_the_place_is_that_of_the_event() -> None:
    events = '[{ account = "a" },\n\n{ account = "a", m = 5 }]'
    (problem,) = problems("n > 5", f"{{ fires = false, events = {events} }}")
    assert problem is not None
    shown = render(problem, {"pack.toml": "\n" * (problem.place.line - 1) + '{ account = "a", m = 5 }'})
    assert shown.startswith(f"pack.toml:{PACK.count(chr(10)) + 6}:1: seen has no attribute `m`")


def test_a_rule_that_raises_fails_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(time: int, zone: str) -> int:
        raise OSError(f"no {zone} at {time}")

    monkeypatch.setattr("fairgate.language.functions._hour_in", broken)
    test = '{ fires = false, events = [{ account = "a" }] }'
    said = told("hour_in(time, account) > 5", test)
    assert said.startswith("`tested` could not be tested: rule tested: OSError")


def test_the_tests_of_the_pack_that_ships_pass() -> None:
    results = run_rule_tests(check_pack(load_pack(SHIPPED), TYPES))
    assert len(results) >= 24
    assert [each for each in results if not each.passed] == []
