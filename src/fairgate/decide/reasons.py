"""Why a decision came out as it did: the reasons of its own evidence, in three renderings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fairgate.domain.action import Action
from fairgate.domain.event import Decision
from fairgate.domain.pack import ListSpec, Pack, Reason, Rule

#: More reasons than this are not told.
MOST_REASONS = 4


class Reader(StrEnum):
    """Who reads a reason."""

    USER = "user"
    REVIEWER = "reviewer"
    EXECUTIVE = "executive"


@dataclass(frozen=True, slots=True)
class Given:
    """A reason as given in one decision: the lists and rules behind it, the rules' kinds of evidence and their weight.

    `decisive`: one of them asks for the action that was taken, or a graver one, whatever the probability.
    """

    reason: Reason
    groups: tuple[str, ...]
    lists: tuple[str, ...]
    rules: tuple[str, ...]
    score: float
    decisive: bool


def reasons_of(pack: Pack, event_type: str, decision: Decision) -> tuple[Given, ...]:
    """The reasons of a decision: one entry per code, the decisive and then the weightiest first, at most four.

    They come from the lists that acted and the rules that counted and spoke against the event, as far as the pack still
    has them; there are none where nothing was done.
    """
    if decision.action == Action.ALLOW:
        return ()
    known = {rule.name: rule for rule in pack.rules}
    rules = [known[name] for name in decision.rules if name in known and name not in decision.silent]
    against = [rule for rule in rules if rule.score > 0 or _floor(rule, event_type)]
    lists = [pack.lists[name] for name in decision.lists if name in pack.lists]
    codes = dict.fromkeys([*(each.reason for each in lists), *(rule.reason for rule in against)])
    given = [
        _given(
            pack.reasons[code],
            [each for each in lists if each.reason == code],
            [rule for rule in against if rule.reason == code],
            event_type,
            decision,
        )
        for code in codes
        if code in pack.reasons
    ]
    return tuple(sorted(given, key=lambda one: (not one.decisive, -one.score))[:MOST_REASONS])


def _given(
    reason: Reason, lists: Sequence[ListSpec], rules: Sequence[Rule], event_type: str, decision: Decision
) -> Given:
    asked = [*(each.effect or Action.ALLOW for each in lists), *(_floor(rule, event_type) for rule in rules)]
    return Given(
        reason=reason,
        groups=tuple(sorted({rule.group for rule in rules})),
        lists=tuple(each.name for each in lists),
        rules=tuple(rule.name for rule in rules),
        score=sum(rule.score for rule in rules),
        decisive=max(asked) >= decision.action,
    )


def _floor(rule: Rule, event_type: str) -> Action:
    return rule.actions.get(event_type, Action.ALLOW)


def render(given: Given, reader: Reader, why: Mapping[str, str]) -> str:
    """A reason in words. The user's has no detail of the detection; the reviewer's has each rule's evidence (`why`)."""
    match reader:
        case Reader.USER:
            return given.reason.user
        case Reader.EXECUTIVE:
            return given.reason.executive
        case Reader.REVIEWER:
            evidence = [f"it is in the list {name}" for name in given.lists]
            evidence += [why[rule] for rule in given.rules if rule in why]
            return f"{given.reason.reviewer}: {'; '.join(evidence)}" if evidence else given.reason.reviewer
