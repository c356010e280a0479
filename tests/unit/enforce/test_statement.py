"""Statements of reasons: whole, easy to read, and with nothing in them that tells how somebody was found."""

import re
from collections.abc import Iterator

import pytest

from fairgate.domain.action import Action
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.pack import Pack, Rule
from fairgate.domain.windows import DAY
from fairgate.enforce.statement import Statement, statement_of
from fairgate.wiring import load_checked
from tests.support import NOW, checked

PACKS = {name: load_checked(name).pack for name in ("ai_api", "baseline")}
#: Words that name a part of the detection, whoever wrote a text.
TELLING = re.compile(
    r"\b(rule|score|model's|threshold|shadow|canary|detect\w*|fingerprint|JA3|JA4|ASN|cluster|link(?:ed|s)?|signal|"
    r"log-odds|probability|heuristic|bot score|user agent|TLS|IP|velocity|distinct|feature)\b",
    re.IGNORECASE,
)


def entry(
    action: Action, reasons: tuple[str, ...], evidence: tuple[str, ...] = (), by: str = "", ends: int = NOW + 30 * DAY
) -> Entry:
    return Entry(0, Subject("account", "a"), action, NOW, ends, reasons, evidence, "p", by, "why: rule burst fired")


def statements(pack: Pack) -> Iterator[tuple[Rule, Statement]]:
    """What is said of every action that any rule may lead to."""
    for rule in pack.rules:
        if rule.reason:
            for action in Action:
                yield rule, statement_of(entry(action, (rule.reason,), (rule.name,)), pack)


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS.keys())
def test_nothing_in_it_tells_how_somebody_was_found(pack: Pack) -> None:
    attributes = [each for kind in pack.event_types.values() for each in kind.attributes if "_" in each.name]
    names = (
        {each.name for each in pack.rules} | {each.name for each in pack.features} | {each.name for each in attributes}
    )
    count = 0
    for rule, said in statements(pack):
        count += 1
        assert not [name for name in names if re.search(rf"\b{re.escape(name)}\b", said.text)], said.text
        assert TELLING.search(said.text) is None, said.text
        figures = re.sub(r"\b\d{1,2} [A-Z][a-z]+ \d{4}\b", "", said.text)
        assert re.search(r"\d", figures) is None, said.text
        reason = pack.reasons[rule.reason]
        assert reason.reviewer not in said.text
        assert reason.executive not in said.text
    assert count > 5


def test_it_is_read_without_effort() -> None:
    grades = [grade(said.text) for _, said in statements(PACKS["ai_api"])]
    assert max(grades) <= 9


def test_it_says_all_that_is_owed() -> None:
    said = statement_of(entry(Action.SUSPEND, ("resale", "shared_login"), ("key_passed_around",)), PACKS["ai_api"])
    assert (said.action, said.automated) == ("suspend", True)
    assert said.clauses == ["no resale of access", "one log-in for one person"]
    assert said.facts == ["where it was used from"]
    assert said.appeal_until is not None
    assert (said.appeal_until - said.since).days == 180
    assert said.text.startswith(
        "We suspended your account on 5 January 2026, until 4 February 2026. This account is used"
    )
    assert "This rests on our terms: no resale of access; one log-in for one person." in said.text
    assert said.text.endswith("somebody else will look at it again. You can do so until 4 July 2026.")
    assert "This was decided by our systems, without a person." in said.text


def test_who_acted_by_hand_is_a_person_whose_words_stay_with_us() -> None:
    said = statement_of(entry(Action.BAN, ("resale",), by="ann", ends=FOREVER), PACKS["ai_api"])
    assert said.until is None
    assert "We closed your account on 5 January 2026." in said.text
    assert "A person decided this." in said.text
    assert said.facts == ["what we know of it from elsewhere"]
    assert "ann" not in said.text
    assert "burst" not in said.text


def test_a_pack_that_says_little_says_what_it_does() -> None:
    pack = checked().pack
    said = statement_of(entry(Action.HOLD, ("burst", "gone"), ("burst", "banned")), pack)
    assert (said.clauses, said.appeal, said.appeal_until) == ([], "", None)
    assert said.text == (
        "We put your account on hold on 5 January 2026, until 4 February 2026. "
        "Many accounts were made in a short time. "
        "We looked at where it was used from and what we know of it from elsewhere. "
        "This was decided by our systems, without a person."
    )


def grade(text: str) -> float:
    """The reading grade of a text (Kincaid and others, 1975), with syllables counted by their vowels."""
    sentences = [each for each in re.split(r"[.!?]+(?:\s|$)", text) if each.strip()]
    words = re.findall(r"[A-Za-z'-]+", text)
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?:e|es|ed)$", "", word.lower())))) for word in words)
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59


def test_the_grade_of_a_text_grows_with_long_words() -> None:
    assert grade("The cat sat on the mat. It was warm.") < 2
    assert grade("Institutional considerations necessitated comprehensive reorganisation of responsibilities.") > 20
