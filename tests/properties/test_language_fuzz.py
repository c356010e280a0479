"""Whatever text a pack is made of: it is taken and then runs, or it is refused with `PackError` and nothing else."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fairgate.domain.pack import Place, Text
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.wire import wire_of
from fairgate.kernel.rows import Rows
from fairgate.language.check import check
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.problems import PackError, Problems, render
from fairgate.language.scope import Names
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.rule_tests import run_rule_tests

RICH = (Path(__file__).parents[1] / "packs" / "rich.toml").read_text("utf-8")
FILES = {"friends.txt": "acct_1\nacct_2 # a comment\n"}
_WORD = re.compile(r"\w+|[^\w\s]|\s+")
WORDS = sorted(set(_WORD.findall(RICH)))
CONDITION = re.compile(r"when = ('''.*?'''|\"\"\".*?\"\"\"|'.*?'|\".*?\")", re.DOTALL)
STRANGE_WORDS = (
    "if", "else", "lambda", ":", "=", "**", "//", "&", "|", "~", "is", "None", "True", "f'{x}'", "[", "]", "{", "}",
    ":=", "1e999", "99999999999999999999", "\\", "\\n", "'", '"', "\0", "\r", "\x0c", "\u2028", "\ufeff", "#", ";",
    "\t", "\n", "é", "東", "await", "yield", "*", "@", "...", "b''", "1_0", "0x1F", "1j",
)  # fmt: skip
EXPRESSION_WORDS = sorted({*_WORD.findall("".join(CONDITION.findall(RICH))), *STRANGE_WORDS})
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def checked_or_refused(text: str) -> CheckedPack | None:
    """The pack if it is sound; any error but a refusal passes through and fails the test."""
    try:
        return check_pack(pack_from_texts({"pack.toml": text, **FILES}), TYPES)
    except PackError as error:
        problems = error.problems
    assert problems
    for problem in problems:
        assert problem.what
        assert min(problem.place.line, problem.place.column) >= 1
    return None


def runs(checked: CheckedPack) -> None:
    """Everything is compiled that an engine compiles, and the rules' tests are run."""
    Engine(checked, 1, Rows)
    run_rule_tests(checked)
    for event_type in checked.pack.event_types.values():
        wire_of(event_type, TYPES)


@st.composite
def broken_packs(draw: st.DrawFn) -> str:
    """The rich pack with a few words taken out, doubled, exchanged, or replaced by others or by any text."""
    words = _WORD.findall(RICH)
    for _ in range(draw(st.integers(1, 4))):
        at, other = draw(st.integers(0, len(words) - 1)), draw(st.integers(0, len(words) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                del words[at]
            case 1:
                words.insert(at, words[at])
            case 2:
                words[at], words[other] = words[other], words[at]
            case 3:
                words[at] = draw(st.sampled_from(WORDS))
            case _:
                words[at] = draw(ANY_TEXT)
    return "".join(words)


@given(broken_packs())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_broken_pack_is_refused_or_runs(text: str) -> None:
    checked = checked_or_refused(text)
    if checked is not None:
        runs(checked)


@given(ANY_TEXT)
@example("")
@example("\ufeff[pack]")
@example("a" * 10_000)
@example("[[rule]]\r\nname = '''\r\nx'''\r\nwhen = 1")
def test_any_text_is_refused(text: str) -> None:
    assert checked_or_refused(text) is None


@given(st.builds(str.join, st.sampled_from(["", " "]), st.lists(st.sampled_from(EXPRESSION_WORDS) | ANY_TEXT)))
@settings(max_examples=300)
@example("((((" * 500)
@example("not " * 900 + "verified")
@example("a" * 4_000)
@example("verified\\")
@example("count(**{'a': 1})")
@example("count(*a, by=*b)")
@example('count("account.signup", by=ip, by=ip, over="1h")')
@example('"a" "b" == country')
@example("time.x.y[0](1)(2)")
@example("known()")
@example("list() in list(list())")
def test_any_words_are_checked_or_told(source: str) -> None:
    pack = check_pack(pack_from_texts({"pack.toml": RICH, **FILES}), TYPES).pack
    names = Names(pack.event_types, TYPES, frozenset(pack.lists), {}, {"burst": ("account.signup",)})
    problems = Problems()
    node = check(Text(source, Place("pack.toml", 1, 1)), ("account.signup",), names, problems)
    assert (node is None) == bool(problems.found)
    for problem in problems.found:
        shown = render(problem, {"pack.toml": source})
        assert all(line.isprintable() or "\t" in line for line in shown.split("\n"))


def test_the_rich_pack_itself_runs() -> None:
    checked = checked_or_refused(RICH)
    assert checked is not None
    runs(checked)
    assert [result.problem for result in run_rule_tests(checked)] == [None, None]


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_line_ends_change_no_meaning_and_no_place(newline: str) -> None:
    text = RICH.replace("country \\\n   or", "contry \\\n   or").replace("\n", newline)
    with pytest.raises(PackError) as caught:
        check_pack(pack_from_texts({"pack.toml": text, **FILES}), TYPES)
    before = RICH[: RICH.index("country \\\n")].split("\n")
    places = [(each.place.line, each.place.column) for each in caught.value.problems]
    assert places == [(len(before), len(before[-1]) + 1)]
