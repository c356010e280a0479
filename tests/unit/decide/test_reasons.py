"""Why a decision came out so: which reasons, in which order, and what each reader is told."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from fairgate.decide.reasons import MOST_REASONS, Reader, reasons_of, render
from fairgate.domain.action import Action
from fairgate.domain.event import Decision
from fairgate.domain.pack import ListSpec, Pack, Place, Reason, Rule
from tests.unit.decide.policies import CHECKED

PLACE = Place("pack.toml", 1, 1)
ON = "api.request"


def pack(*rules: Rule) -> Pack:
    reasons = {
        code: Reason(code, f"user {code}", f"reviewer {code}", f"executive {code}", "", PLACE)
        for code in {rule.reason for rule in rules}
    }
    return replace(CHECKED.pack, rules=rules, reasons=reasons)


def rule(name: str, reason: str, score: float = 1.0, *, action: Action | None = None, group: str = "network") -> Rule:
    actions = {ON: action} if action else {}
    plain = CHECKED.pack.rules[0]
    return replace(plain, name=name, on=(ON,), reason=reason, score=score, actions=actions, group=group)


def decision(
    *rules: str, silent: tuple[str, ...] = (), lists: tuple[str, ...] = (), action: Action = Action.HOLD
) -> Decision:
    return Decision(action, 0.0, 0.5, "default", rules=rules, silent=silent, lists=lists)


def codes(found: Pack, decided: Decision, event_type: str = ON) -> list[str]:
    return [given.reason.code for given in reasons_of(found, event_type, decided)]


def test_the_weightiest_come_first_merged_by_code_and_at_most_four() -> None:
    found = pack(
        rule("small", "a", 0.5), rule("large", "b", 3.0), rule("one", "c", 1.0), rule("two", "c", 1.5),
        rule("more", "d", 0.9), rule("least", "e", 0.1),
    )  # fmt: skip
    decided = decision("small", "large", "one", "two", "more", "least")
    assert codes(found, decided) == ["b", "c", "d", "a"]
    merged = reasons_of(found, ON, decided)[1]
    assert (merged.rules, merged.score) == (("one", "two"), 2.5)
    assert MOST_REASONS == 4


def test_a_rule_that_asks_for_the_action_comes_before_all_weights() -> None:
    asks = rule("asks", "floor", 0.0, action=Action.HOLD, group="device")
    watches = rule("watches", "mild", 0.0, action=Action.WATCH)
    found = pack(*(rule(f"rule{number}", f"code{number}", 5.0) for number in range(4)), watches, asks)
    given = reasons_of(found, ON, decision(*(each.name for each in found.rules)))
    assert [one.reason.code for one in given] == ["floor", "code0", "code1", "code2"]
    assert [one.decisive for one in given] == [True, False, False, False]
    assert codes(found, decision("asks"), "account.signup") == []


def test_only_what_counted_and_spoke_against_the_event_is_told() -> None:
    found = pack(rule("counts", "a"), rule("shadow", "b", 9.0), rule("trust", "c", -2.0), rule("idle", "d", 0.0))
    assert codes(found, decision("counts", "shadow", "trust", "idle", silent=("shadow",))) == ["a"]
    assert codes(found, decision("counts", action=Action.ALLOW)) == []


def test_a_list_that_acted_gives_its_reason_merged_with_the_rules_of_the_same_code() -> None:
    blocked = ListSpec("blocked", "", "account", Action.HOLD, "a", (), PLACE)
    friends = ListSpec("friends", "", "account", Action.ALLOW, "", (), PLACE)
    found = pack(rule("large", "b", 3.0), rule("small", "a", 0.5))
    found = replace(found, lists={"blocked": blocked, "friends": friends})
    decided = decision("large", "small", lists=("blocked", "friends", "gone"))
    given = reasons_of(found, ON, decided)
    assert [(one.reason.code, one.lists, one.rules, one.decisive) for one in given] == [
        ("a", ("blocked",), ("small",), True),
        ("b", (), ("large",), False),
    ]
    assert render(given[0], Reader.USER, {}) == "user a"
    assert render(given[0], Reader.REVIEWER, {"small": "5 of them"}) == (
        "reviewer a: it is in the list blocked; 5 of them"
    )
    assert codes(found, decision(lists=("blocked", "friends"), action=Action.ALLOW)) == []


def test_a_rule_that_the_pack_no_longer_has_is_left_out() -> None:
    assert codes(pack(rule("stays", "a")), decision("gone", "stays")) == ["a"]


def test_kinds_of_evidence_are_named_once() -> None:
    found = pack(
        rule("one", "a", group="network"), rule("two", "a", group="device"), rule("three", "a", group="network")
    )
    assert reasons_of(found, ON, decision("one", "two", "three"))[0].groups == ("device", "network")


WHY: Mapping[str, str] = {"burst": "3 sign-ups from 198.51.100.0/24", "tried": "out of 7 dollars"}


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (Reader.USER, "user a"),
        (Reader.EXECUTIVE, "executive a"),
        (Reader.REVIEWER, "reviewer a: 3 sign-ups from 198.51.100.0/24; out of 7 dollars"),
    ],
)
def test_each_reader_has_words_of_its_own(reader: Reader, words: str) -> None:
    [given] = reasons_of(
        pack(rule("burst", "a"), rule("tried", "a"), rule("mute", "a")), ON, decision("burst", "tried", "mute")
    )
    assert render(given, reader, WHY) == words


def test_a_reviewer_is_told_the_code_where_there_is_no_evidence() -> None:
    [given] = reasons_of(pack(rule("burst", "a")), ON, decision("burst"))
    assert render(given, Reader.REVIEWER, {}) == "reviewer a"


def test_the_user_is_told_nothing_of_the_detection() -> None:
    """Whatever the evidence: rule names, scores, numbers and values stay inside."""
    for each in CHECKED.pack.rules:
        if not each.reason:
            continue
        given = reasons_of(CHECKED.pack, each.on[0], decision(each.name))
        for one in given:
            words = render(one, Reader.USER, {each.name: "SECRET 5 198.51.100.7"})
            assert words == one.reason.user
            assert not any(char.isdigit() for char in words)
            assert each.name not in words
            assert "SECRET" not in words
