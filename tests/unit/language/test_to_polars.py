"""What columns a condition is computed from; that it means the same as the compiled Python, tests/properties shows."""

from collections.abc import Iterable
from dataclasses import replace

import polars as pl
import pytest

from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.to_polars import Columns, missing_columns, to_polars

PACK = """
[pack]
name = "p"
version = "1"
[[segment]]
name = "default"
[event.seen.attributes]
account = { entity = "account", required = true }
email = "email"
amount = "number"
[[list]]
name = "words"
entries = ["a"]
[[feature]]
name = "spent"
value = 'total(amount, by=account, over="1h")'
on = "seen"
"""


def checked(**conditions: str) -> CheckedPack:
    rules = [f"[[rule]]\nname = '{name}'\non = 'seen'\nwhen = '''{when}'''" for name, when in conditions.items()]
    return check_pack(pack_from_texts({"pack.toml": "\n".join([PACK, *rules])}), TYPES)


def columns(pack: CheckedPack, present: Iterable[str], words: Iterable[str] = ("a",)) -> Columns:
    return Columns(
        present=frozenset(present),
        features={aggregate.text: name for name, aggregate in pack.read["seen"].items()},
        semantics=TYPES,
        rules={each.rule.name: each.when for each in pack.rules},
        lists={"words": frozenset(words)},
    )


def value(pack: CheckedPack, rule: str, frame: pl.DataFrame) -> list[bool | None]:
    found = columns(pack, frame.columns)
    return frame.with_columns(value=to_polars(found.rules[rule], found))["value"].to_list()


def test_what_a_recording_lacks_is_named_as_rules_write_it() -> None:
    pack = checked(
        base="email.domain == 'x' and spent > 3",
        rule="base and amount > 2 and count('seen', by=account, over='7d') > 1 and weekday(time) == 3 and base",
    )
    when = pack.rules[-1].when
    assert missing_columns(when, columns(pack, [])) == (
        "email.domain",
        'total(amount, on="seen", by=account, over="1h")',
        "amount",
        'count("seen", by=account, over="7d")',
        "_time",
    )
    count = 'count("seen", by=account, over="7d")'
    assert missing_columns(when, columns(pack, ["email.domain", "spent", "amount", count, "_time"])) == ()
    assert missing_columns(when, columns(pack, ["email", "spent", "amount", count])) == ("_time",)


@pytest.mark.parametrize(
    ("when", "name"),
    [("amount > 1", "amount"), ("known(email.tag)", "email"), ("spent > 1", "spent"), ("hour(time) == 1", "_time")],
)
def test_a_missing_column_is_an_error_that_names_it(when: str, name: str) -> None:
    pack = checked(rule=when)
    assert len(missing_columns(pack.rules[0].when, columns(pack, []))) == 1
    with pytest.raises(KeyError, match=name):
        to_polars(pack.rules[0].when, columns(pack, []))


def test_a_recorded_part_is_taken_before_it_is_parsed_again() -> None:
    pack = checked(rule="email.domain == 'example.com'", canonical="email == 'a@example.com'")
    raw = pl.DataFrame({"email": ["A@Example.com", None, "a@example.org"]})
    assert value(pack, "rule", raw) == [True, None, False]
    assert value(pack, "canonical", raw) == [True, None, False]
    parts = pl.DataFrame({"email.domain": ["example.com", None], "email.value": [None, "a@example.com"]})
    assert value(pack, "rule", parts) == [True, None]
    assert value(pack, "canonical", parts) == [None, True]


def test_only_the_columns_it_needs_are_read() -> None:
    pack = checked(rule="amount > 3 and email.disposable")
    frame = pl.LazyFrame({"amount": [4.0], "email.disposable": [True], "spent": [0.0], "account": ["a"]})
    plan = frame.select(to_polars(pack.rules[0].when, columns(pack, frame.collect_schema()))).explain()
    assert 'PROJECT["amount", "email.disposable"]' in plan, plan


def test_a_function_is_called_once_for_each_different_value() -> None:
    pack = checked(rule="email.free")
    calls: list[str] = []

    def parse(text: str) -> object:
        calls.append(text)
        return TYPES["email"].parse(text)

    found = replace(columns(pack, ["email"]), semantics={"email": replace(TYPES["email"], parse=parse)})
    frame = pl.DataFrame({"email": ["a@gmail.com", "b@example.com", None] * 50})
    assert frame.with_columns(value=to_polars(found.rules["rule"], found))["value"].sum() == 50
    assert sorted(calls) == ["a@gmail.com", "b@example.com"]


def test_a_list_is_asked_as_it_stands() -> None:
    pack = checked(rule="account in list('words')", absent="account not in list('words')")
    frame = pl.DataFrame({"account": ["a", "b"]})
    for words, expected in ((["a"], [True, False]), (["b"], [False, True]), ([], [False, False])):
        found = columns(pack, frame.columns, words)
        answers = frame.select(to_polars(found.rules[name], found).alias(name) for name in ("rule", "absent"))
        assert answers["rule"].to_list() == expected
        assert answers["absent"].to_list() == [not each for each in expected]


def test_constants_stand_for_every_row_and_for_none() -> None:
    pack = checked(yes="True", no="lower('A') != 'a'", none="log(0) > 1", named="not no and 1 in (1, 2)")
    for rows in (0, 1, 3):
        frame = pl.DataFrame({"account": ["a"] * rows})
        for name, expected in (("yes", True), ("no", False), ("none", None), ("named", True)):
            assert value(pack, name, frame) == [expected] * rows


def test_deep_conditions_don_t_overflow() -> None:
    deep = " or ".join(f"(amount > {limit} and not (spent < {limit}))" for limit in range(90))
    pack = checked(rule=deep, nested="not (" * 40 + "amount > 1" + ")" * 40)
    frame = pl.DataFrame({"amount": [0.5, 100.0], "spent": [0.5, 100.0]})
    assert value(pack, "rule", frame) == [True, True]
    assert value(pack, "nested", frame) == [False, True]
